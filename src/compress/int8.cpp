#include "compress/int8.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace edgec {

ChannelSpan ChannelSpan::of(std::span<const std::int64_t> dims, int axis) {
  ChannelSpan span;
  for (std::size_t i = 0; i < dims.size(); ++i)
    (static_cast<int>(i) < axis ? span.outer : static_cast<int>(i) == axis ? span.channels : span.inner) *= dims[i];
  return span;
}

std::vector<float> channel_maxima(std::span<const float> weights, ChannelSpan span) {
  std::vector<float> maxima(static_cast<std::size_t>(span.channels), 0.0F);
  const auto inner = static_cast<std::size_t>(span.inner);
  for (std::size_t row = 0; row * inner < weights.size(); ++row) {
    float &maximum = maxima[row % maxima.size()];
    for (const float weight : weights.subspan(row * inner, inner)) maximum = std::max(maximum, std::abs(weight));
  }
  return maxima;
}

namespace {

/// The least scale of a channel's weights with which int32 holds its bias.
float least_scale(double bias, float input_scale) {
  return static_cast<float>(std::abs(bias) / (static_cast<double>(input_scale) * 0x1p30));
}

} // namespace

bool biases_fit(std::span<const double> biases, float input_scale, std::span<const float> scales) {
  for (std::size_t c = 0; c < biases.size(); ++c)
    if (least_scale(biases[c], input_scale) > scales[c]) return false;
  return true;
}

std::vector<float> symmetric_scales(std::span<const float> maxima, std::span<const double> bias, float input_scale,
                                    int levels) {
  std::vector<float> scales(maxima.size());
  for (std::size_t c = 0; c < scales.size(); ++c) {
    const float least = c < bias.size() ? least_scale(bias[c], input_scale) : 0.0F;
    scales[c] = std::max(maxima[c] / static_cast<float>(levels), least);
    if (!(scales[c] >= std::numeric_limits<float>::min())) scales[c] = 1.0F;
  }
  return scales;
}

std::vector<std::int8_t> quantize_symmetric(std::span<const float> weights, ChannelSpan span,
                                            std::span<const float> scales, int levels) {
  std::vector<std::int8_t> codes(weights.size());
  const auto inner = static_cast<std::size_t>(span.inner);
  const auto limit = static_cast<float>(levels);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const float scale = scales[i / inner % scales.size()];
    codes[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint(weights[i] / scale), -limit, limit));
  }
  return codes;
}

std::vector<std::int32_t> quantize_bias(std::span<const double> bias, float input_scale,
                                        std::span<const float> scales) {
  std::vector<std::int32_t> codes(bias.size());
  for (std::size_t c = 0; c < codes.size(); ++c) {
    const float scale = input_scale * scales[c % scales.size()];
    const double code = std::nearbyint(bias[c] / static_cast<double>(scale));
    codes[c] = static_cast<std::int32_t>(std::clamp(code, -2147483648.0, 2147483647.0));
  }
  return codes;
}

} // namespace edgec
