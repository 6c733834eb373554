#include "data/made_up.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "data/dead_leaves.h"
#include "data/fractal_noise.h"
#include "ir/text.h"

namespace edgec {
namespace {

Graph parsed(const std::string &text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message;
  return *std::move(graph);
}

double correlation(std::span<const float> x, std::size_t shift) {
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i + shift < x.size(); ++i) sum += x[i] * x[i + shift];
  for (const float v : x) squares += v * v;
  return sum / squares;
}

TEST(FractalNoise, HasUnitVarianceAndNeighboursThatGoTogether) {
  for (const std::vector<int> &dims : {std::vector<int>{256}, {32, 48}, {2, 30, 40}}) {
    Random random(3);
    const std::vector<float> field = fractal_noise(dims, random);
    const double mean = std::accumulate(field.begin(), field.end(), 0.0) / static_cast<double>(field.size());
    double power = 0;
    for (const float v : field) power += v * v / static_cast<double>(field.size());
    EXPECT_NEAR(mean, 0, 1e-4);
    EXPECT_NEAR(power, 1, 1e-3);
    EXPECT_GT(correlation(field, 1), 0.4) << dims.size();
  }
  Random random(3);
  EXPECT_EQ(fractal_noise(std::vector<int>{1, 1}, random), std::vector<float>{0});
  EXPECT_TRUE(fractal_noise(std::vector<int>{3, 0}, random).empty());
}

TEST(DeadLeaves, AreTheSameForASeedAndHaveEdgesAndContrast) {
  Random a(5), b(5), other(6);
  const Image image = dead_leaves(64, a);
  EXPECT_EQ(image.pixels, dead_leaves(64, b).pixels);
  EXPECT_NE(image.pixels, dead_leaves(64, other).pixels);
  double steps = 0, large = 0;
  for (int y = 0; y < 64; ++y)
    for (int x = 0; x + 1 < 64; ++x) {
      const int step = std::abs(image.at(x, y)[0] - image.at(x + 1, y)[0]);
      steps += step < 24;
      large += step >= 48;
    }
  EXPECT_GT(steps, 64 * 63 * 0.6);  // mostly smooth
  EXPECT_GT(large, 64 * 63 * 0.01); // and borders
}

TEST(GuessInputs, TellsPicturesTokensMasksAndSeriesApart) {
  const Graph graph = parsed(
      "g (int64[1, L] input_ids, int64[1, L] attention_mask, int64[1, L] token_type_ids, float[1, 3, 32, 40] photo, "
      "float[1, 1, 49, 10] mfcc, float[1, 24, 24, 3] nhwc, uint8[1, 3, 20, 20] pixels, bool[1, L] keep, "
      "float[100, 8] words) => (float[1, L, 8] y) { y = Gather(words, input_ids) }");
  const auto inputs = guess_inputs(graph);
  const std::vector<InputKind> expected{InputKind::tokens, InputKind::mask,   InputKind::zeros,
                                        InputKind::image,  InputKind::series, InputKind::image,
                                        InputKind::image,  InputKind::mask,   InputKind::series};
  ASSERT_EQ(inputs.size(), expected.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) EXPECT_EQ(inputs[i].kind, expected[i]) << inputs[i].spec.name;
  EXPECT_EQ(inputs[0].bound, 100);
  const auto samples = made_up_samples(6, inputs, picture_book(6, 1), 1);
  ASSERT_TRUE(samples) << samples.error().message;
  for (std::size_t s = 0; s < 6; ++s) {
    const auto sample = (*samples)->load(s), again = (*samples)->load(s);
    ASSERT_TRUE(sample) << sample.error().message;
    for (std::size_t i = 0; i < inputs.size(); ++i) EXPECT_TRUE(identical((*sample)[i], (*again)[i]));
    EXPECT_EQ((*sample)[0].dims, (*sample)[1].dims); // one length for a symbol
    for (const std::int64_t id : to_int64s((*sample)[0])) {
      EXPECT_GE(id, 0);
      EXPECT_LT(id, 100);
    }
    for (const std::int64_t on : to_int64s((*sample)[1])) EXPECT_EQ(on, 1);
    for (const double v : to_doubles((*sample)[3])) {
      EXPECT_GE(v, 0);
      EXPECT_LE(v, 1);
    }
  }
}

} // namespace
} // namespace edgec
