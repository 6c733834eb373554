#include "measure/node_compare.h"

#include <gtest/gtest.h>

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
g (float[1,2] x) => (float[1,2] y) <float[2] w = {)") + factor + R"(}>
{
  [scale] a = Mul(x, w)
  [bend] b = Relu(a)
  [turn] y = Neg(b)
}
)");
}

std::vector<NodeDifference> differences(const Graph &reference, const Graph &test) {
  const Sample sample{Tensor::of<float>({1, 2}, {1, -1})};
  auto found = compare_nodes(reference, test, all_ops(), sample, Isa::scalar);
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

} // namespace
} // namespace edgec
