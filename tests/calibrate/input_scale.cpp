#include "calibrate/input_scale.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"

namespace edgec {
namespace {

/// Pictures straight into a BatchNormalization that saw this mean and variance.
InputScale fit_pictures(double mean, double variance, std::vector<MadeUpInput> &inputs) {
  const auto graph = parse_graph(fmt::format(R"(<opset_import: ["" : 15]>
g (float[1,3,32,32] x) => (float[1,3,32,32] y)
<float[3] scale = {{1,1,1}}, float[3] bias = {{0,0,0}}, float[3] mean = {{{0},{0},{0}}}, float[3] var = {{{1},{1},{1}}}>
{{
  y = BatchNormalization(x, scale, bias, mean, var)
}}
)",
                                             mean, variance));
  EXPECT_TRUE(graph) << graph.error().message;
  inputs = guess_inputs(*graph);
  auto found = fit_input_scale(*graph, all_ops(), inputs, {.pictures = picture_book(32, 0)});
  EXPECT_TRUE(found) << found.error().message;
  return *std::move(found);
}

TEST(InputScale, IsThatOfTheFirstBatchNormalization) {
  struct Case {
    double mean, variance;
    float scale, offset; // value = pixel * scale + offset
  };
  for (const Case &c : {Case{0.45, 0.07, 1.0F / 255, 0}, Case{-0.05, 0.28, 1 / 127.5F, -1}, Case{115, 4500, 1, 0}}) {
    std::vector<MadeUpInput> inputs;
    const InputScale found = fit_pictures(c.mean, c.variance, inputs);
    const Preprocess &rule = inputs[0].preprocess;
    EXPECT_NEAR(rule.scale / rule.std[0], c.scale, 1e-6) << found.evidence;
    EXPECT_NEAR(-rule.mean[0] / rule.std[0], c.offset, 1e-6) << found.evidence;
    EXPECT_TRUE(found.certain) << found.evidence;
  }
}

TEST(InputScale, DoubtsWhatNoUsualScaleExplains) {
  std::vector<MadeUpInput> inputs;
  EXPECT_FALSE(fit_pictures(1e6, 1e-3, inputs).certain);
}

TEST(InputScale, SolvesTheMeansAndScalesOfFeatures) {
  constexpr int filters = 12, features = 4;
  const double mean[features] = {-50, 3, 0, 8}, std[features] = {20, 2, 1, 4};
  Random random(2);
  std::vector<double> weights, means, variances;
  for (int c = 0; c < filters; ++c) {
    double m = 0, v = 0;
    for (int f = 0; f < features; ++f) {
      const double w = weights.emplace_back(random.normal());
      m += w * mean[f];
      v += w * w * std[f] * std[f];
    }
    means.push_back(m);
    variances.push_back(v);
  }
  const std::vector<int> ones(filters, 1), zeros(filters, 0);
  const auto graph = parse_graph(fmt::format(R"(<opset_import: ["" : 15]>
g (float[1,1,50,4] x) => (float[1,12,50,1] y)
<float[12,1,1,4] w = {{{}}}, float[12] scale = {{{}}}, float[12] bias = {{{}}}, float[12] mean = {{{}}}, float[12] var = {{{}}}>
{{
  h = Conv(x, w)
  y = BatchNormalization(h, scale, bias, mean, var)
}}
)",
                                             fmt::join(weights, ","), fmt::join(ones, ","), fmt::join(zeros, ","),
                                             fmt::join(means, ","), fmt::join(variances, ",")));
  ASSERT_TRUE(graph) << graph.error().message;
  auto inputs = guess_inputs(*graph);
  const auto found = fit_input_scale(*graph, all_ops(), inputs, {.pictures = picture_book(32, 0)});
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_EQ(inputs[0].mean.size(), features);
  for (std::size_t f = 0; f < features; ++f) {
    EXPECT_NEAR(inputs[0].mean[f], mean[f], 0.1 * std[f]) << f;
    EXPECT_GT(inputs[0].std[f], 0.2 * std[f]) << f;
    EXPECT_LT(inputs[0].std[f], 5 * std[f]) << f;
  }
}

} // namespace
} // namespace edgec
