#include "compress/int8.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>

#include "support/random.h"

namespace edgec {
namespace {

TEST(Int8, AChannelsLargestWeightGetsCode127) {
  const std::vector<float> weights{0.5F, -1.0F, 0.25F, 4.0F, 2.0F, -3.0F};
  const ChannelSpan span = ChannelSpan::of(std::array<std::int64_t, 2>{2, 3}, 0);
  const auto scales = symmetric_scales(channel_maxima(weights, span), {}, 1.0F);
  EXPECT_EQ(quantize_symmetric(weights, span, scales), (std::vector<std::int8_t>{64, -127, 32, 127, 64, -95}));
}

TEST(Int8, ChannelsOfTheLastAxisAreColumns) {
  const std::vector<float> weights{1.0F, 10.0F, -0.5F, 5.0F};
  const ChannelSpan span = ChannelSpan::of(std::array<std::int64_t, 2>{2, 2}, 1);
  EXPECT_EQ(channel_maxima(weights, span), (std::vector<float>{1.0F, 10.0F}));
}

// Folding a BatchNormalization leaves channels with weights near nothing and a bias of order one.
TEST(Int8, TheBiasOfADeadChannelSurvives) {
  const std::array<float, 1> maxima{1e-12F};
  const std::array<double, 1> bias{1.5};
  const float input_scale = 0.02F;
  const auto scales = symmetric_scales(maxima, bias, input_scale);
  const auto codes = quantize_bias(bias, input_scale, scales);
  EXPECT_NEAR(static_cast<double>(codes[0]) * input_scale * scales[0], 1.5, 1e-6);
}

TEST(Int8, BiasesFitWhereTheyDoNotWidenScales) {
  Random random(3);
  for (int i = 0; i < 1000; ++i) {
    const std::array<double, 1> bias{std::exp(4 * random.normal())};
    const std::array<float, 1> maxima{static_cast<float>(bias[0] * std::exp(4 * random.normal() - 15))};
    const float input_scale = 0.02F;
    const auto scales = symmetric_scales(maxima, {}, input_scale);
    EXPECT_EQ(biases_fit(bias, input_scale, scales), symmetric_scales(maxima, bias, input_scale) == scales);
  }
}

TEST(Int8, AChannelOfZerosHasScaleOne) {
  const std::array<float, 1> maxima{0.0F};
  EXPECT_EQ(symmetric_scales(maxima, {}, 0.1F).front(), 1.0F);
}

} // namespace
} // namespace edgec
