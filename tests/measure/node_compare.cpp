#include "measure/node_compare.h"

#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <random>

#include "ir/text.h"
#include "kernels/isa.h"
#include "ops/registry.h"

namespace edgec {
namespace {

Graph parsed(std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message;
  const Status inferred = infer_types(*graph, all_ops());
  EXPECT_TRUE(inferred) << inferred.error().message;
  return *std::move(graph);
}

Graph network(const char *factor) {
  return parsed(std::string(R"(<opset_import: ["" : 13]>
g (float[1,2] x) => (float[1,2] y) <float[2] w = {)") +
                factor + R"(}>
{
  [scale] a = Mul(x, w)
  [bend] b = Relu(a)
  [turn] y = Neg(b)
}
)");
}

std::vector<NodeDifference> differences(const Graph &reference, const Graph &test) {
  const Sample sample{Tensor::of<float>({1, 2}, {1, -1})};
  auto found = compare_nodes(reference, test, all_ops(), {&sample, 1}, Isa::scalar);
  EXPECT_TRUE(found) << found.error().message;
  return *std::move(found);
}

TEST(CompareNodes, FindsTheFirstThatDiffers) {
  const auto found = differences(network("1.0, 1.0"), network("1.0, 2.0"));
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].node, "scale");
  EXPECT_DOUBLE_EQ(found[0].noise.max_error, 1);
  EXPECT_EQ(found[1].noise.max_error, 0); // both are negative before Relu
}

TEST(CompareNodes, TakesANodeThatDoesTheWorkOfSeveralAsTheLastOfThem) {
  const Graph fused = parsed(R"(<opset_import: ["" : 13]>
g (float[1,2] x) => (float[1,2] y)
{
  [scale] b = Relu(x)
  [turn] y = Neg(b)
}
)");
  const auto found = differences(network("1.0, 1.0"), fused);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].reference, "bend");
  EXPECT_EQ(found[0].noise.max_error, 0);
}

/// Two layers with an activation between them; channels of the first may be scaled, and the second may undo it.
struct Layers {
  bool pictures, undone = true, depthwise = false;
  std::size_t hidden = 6, kept = 6;
  double spread = 0; ///< of the factors, as powers of two

  [[nodiscard]] Graph graph() const {
    const std::size_t inputs = 4, outputs = 3;
    std::minstd_rand random(7);
    std::uniform_real_distribution<double> draw(-1, 1);
    std::string w1, b1, d, w2;
    std::vector<double> factors;
    for (std::size_t h = 0; h < hidden; ++h) {
      const double factor = std::exp2(spread * std::cos(static_cast<double>(3 * h + 1)));
      factors.push_back(factor);
      for (std::size_t i = 0; i < inputs; ++i) {
        const double w = draw(random) * factor;
        if (h < kept) w1 += fmt::format("{}{:.9g}", w1.empty() ? "" : ", ", w);
      }
      const double bias = (draw(random) + 1.5) * factor;
      if (h < kept) b1 += fmt::format("{}{:.9g}", b1.empty() ? "" : ", ", bias);
      const double weight = draw(random) + 1.5;
      if (h < kept) d += fmt::format("{}{:.9g}", d.empty() ? "" : ", ", weight);
    }
    for (std::size_t o = 0; o < outputs; ++o)
      for (std::size_t h = 0; h < hidden; ++h) {
        const double w = draw(random) / (undone ? factors[h] : 1);
        if (h < kept) w2 += fmt::format("{}{:.9g}", w2.empty() ? "" : ", ", w);
      }
    const char *shape = pictures ? ",3,3" : "", *ones = pictures ? ",1,1" : "";
    const auto layer = [&](const char *name, const char *result, const char *data, const char *weight,
                           const char *bias) {
      return fmt::format("[{}] {} = {}({}, {}{})\n", name, result, pictures ? "Conv" : "Gemm <transB = 1>", data,
                         weight, bias);
    };
    std::string text =
        fmt::format(R"(<opset_import: ["" : 13]>
g (float[1,{}{}] x) => (float[1,{}{}] y) <float[{},{}{}] w1 = {{{}}}, float[{}] b1 = {{{}}}, float[{},1,1,1] d = {{{}}}, float[{},{}{}] w2 = {{{}}}>
{{
)",
                    inputs, shape, outputs, shape, kept, inputs, ones, w1, kept, b1, kept, d, outputs, kept, ones, w2);
    text += layer("first", "a", "x", "w1", ", b1") + "[bend] b = Relu(a)\n";
    if (depthwise) text += fmt::format("[deep] c = Conv <group = {}> (b, d)\n", kept);
    text += layer("second", "y", depthwise ? "c" : "b", "w2", "") + "}\n";
    return parsed(text);
  }
};

std::vector<NodeDifference> differences(const Layers &layers, std::size_t count) {
  Layers plain = layers;
  plain.spread = 0, plain.kept = plain.hidden;
  std::minstd_rand random(11);
  std::uniform_real_distribution<float> draw(-1, 1);
  std::vector<Sample> samples;
  for (std::size_t s = 0; s < count; ++s) {
    std::vector<float> values(layers.pictures ? 36 : 4);
    for (float &value : values) value = draw(random);
    samples.push_back({Tensor::of<float>(layers.pictures ? Dims{1, 4, 3, 3} : Dims{1, 4}, std::move(values))});
  }
  auto found = compare_nodes(plain.graph(), layers.graph(), all_ops(), samples, Isa::scalar);
  EXPECT_TRUE(found) << found.error().message;
  return *std::move(found);
}

bool is_layer_or_activation(const NodeDifference &node) { return node.node != "second"; }

TEST(CompareNodes, AllowsForFactorsOfChannelsThatALaterLayerUndoes) {
  for (const bool pictures : {false, true})
    for (const bool depthwise : {false, true})
      for (const double spread : {0.5, 1.0, 3.0, 6.0}) {
        if (depthwise && !pictures) continue;
        const auto found = differences({.pictures = pictures, .depthwise = depthwise, .spread = spread}, node_samples);
        ASSERT_EQ(found.size(), depthwise ? 4U : 3U);
        for (const NodeDifference &node : found) {
          EXPECT_EQ(node.remark(), is_layer_or_activation(node) ? "equalized" : "") << node.node << " " << spread;
          EXPECT_GT(node.noise.sqnr_db().value_or(200), 100) << node.node << " " << spread;
          EXPECT_LT(node.noise.max_error, 1e-4 * node.noise.max_reference) << node.node;
        }
      }
}

TEST(CompareNodes, TakesFactorsThatNobodyUndoesForErrors) {
  for (const bool pictures : {false, true})
    for (const bool depthwise : {false, true})
      for (const double spread : {0.5, 1.0, 3.0}) {
        if (depthwise && !pictures) continue;
        const auto found = differences(
            {.pictures = pictures, .undone = false, .depthwise = depthwise, .spread = spread}, node_samples);
        for (const NodeDifference &node : found) {
          EXPECT_EQ(node.remark(), "") << node.node << " " << spread;
          EXPECT_LT(node.noise.sqnr_db().value_or(200), 30) << node.node << " " << spread;
        }
      }
}

TEST(CompareNodes, ComparesNothingWhereAFactorFitsEachNumber) {
  const auto found = differences({.pictures = false, .spread = 3}, 1);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].remark(), "equalized");
  EXPECT_EQ(found[0].noise.count, 0U);
}

TEST(CompareNodes, NamesRemovedChannels) {
  for (const bool pictures : {false, true})
    for (const std::size_t kept : {1U, 3U, 4U}) { // 3: as many as the layer behind them gives
      const auto found = differences({.pictures = pictures, .kept = kept}, node_samples);
      ASSERT_EQ(found.size(), 3U);
      EXPECT_EQ(found[0].remark(), fmt::format("{} of 6 channels removed", 6 - kept));
      EXPECT_EQ(found[1].remark(), found[0].remark());
      EXPECT_EQ(found[0].noise.count, 0U);
      EXPECT_EQ(found[2].remark(), "");
      EXPECT_GT(found[2].noise.count, 0U);
    }
}

} // namespace
} // namespace edgec
