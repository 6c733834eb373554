// Operators without a kernel run as the operators that define them.
#include <gtest/gtest.h>

#include "formats/onnx/functions.h"
#include "ir/inline.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/registry.h"
#include "runtime/expand.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

using Floats = std::vector<float>;

Graph graph_of(std::string_view text, std::int64_t opset = 17) {
  auto graph = parse_graph(text);
  if (!graph) throw std::runtime_error(graph.error().message);
  graph->opsets = {{"", opset}, {"com.microsoft", 1}};
  return std::move(*graph);
}

Tensor floats(Dims dims, Floats values) { return Tensor::of(std::move(dims), std::move(values)); }

template <class T>
Tensor integers(Dims dims, std::vector<std::int64_t> values) {
  return from_int64s(dtype_of<T>, std::move(dims), values);
}

class Expand : public testing::Test {
protected:
  void SetUp() override { install_function_bodies(onnx_function_body); }
  void TearDown() override { all_ops().set_function_bodies(nullptr); }

  static std::vector<double> run(const Graph &graph, const std::vector<Tensor> &feeds) {
    Runner runner(graph, all_ops(), {});
    const auto results = runner.run_tensors(feeds);
    if (!results) throw std::runtime_error(results.error().message);
    return to_doubles(results->front());
  }
};

TEST_F(Expand, TheBodyOfASchemaRuns) {
  const Graph graph =
      graph_of("g (float[2] a, float[2] b) => (float[2] y) { y = SwiGLU(a, b) }", 28); // alpha is left out
  EXPECT_EQ(run(graph, {floats({2}, {0, 100}), floats({2}, {5, 2})}), (std::vector<double>{0, 200}));
}

TEST_F(Expand, WhatNobodyDefinesIsRefusedByName) {
  const Graph graph = graph_of("g (float[2] x) => (float[2] y) { y = com.microsoft.Unheard(x) }");
  const auto results = Runner(graph, all_ops(), {}).run_tensors(std::vector<Tensor>{floats({2}, {1, 2})});
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().code, Code::unsupported);
  EXPECT_NE(results.error().message.find("com.microsoft:Unheard"), std::string::npos) << results.error().message;
}

TEST_F(Expand, TheGraphOfTheModelStaysAsItIs) {
  const Graph graph = graph_of("g (float[2,2] x, float[2,2] w) => (float[2,2] y) { y = "
                               "com.microsoft.FusedMatMul<transB = 1, alpha = 2.0>(x, w) }");
  const std::string before = to_text(graph);
  EXPECT_EQ(run(graph, {floats({2, 2}, {1, 2, 3, 4}), floats({2, 2}, {1, 1, 0, 1})}),
            (std::vector<double>{6, 4, 14, 8}));
  EXPECT_EQ(to_text(graph), before);
}

TEST_F(Expand, QuantizedOperators) {
  const Graph sum = graph_of(R"(g (uint8[2] a, uint8[1] b) => (uint8[2] y)
    <float as = {0.5}, uint8 az = {10}, float bs = {1}, uint8 bz = {0}, float ys = {0.25}, uint8 yz = {100}>
  { y = com.microsoft.QLinearAdd(a, as, az, b, bs, bz, ys, yz) })");
  EXPECT_EQ(run(sum, {integers<std::uint8_t>({2}, {12, 200}), integers<std::uint8_t>({1}, {3})}),
            (std::vector<double>{116, 255}));
  const Graph product = graph_of(R"(g (uint8[1,2] a) => (float[1,1] y)
    <float as = {0.5}, uint8 az = {1}, int8[2,1] w = {3, -1}, float[1] ws = {2}, int8[1] wz = {0}, int32[1] bias = {7}>
  { y = com.microsoft.QGemm(a, as, az, w, ws, wz, bias) })");
  EXPECT_EQ(run(product, {integers<std::uint8_t>({1, 2}, {3, 2})}),
            (std::vector<double>{12})); // (2 * 3 - 1 * 1 + 7) * 0.5 * 2
}

TEST_F(Expand, FusedOperators) {
  const Graph conv = graph_of(
      R"(g (float[1,1,1,2] x, float[1,1,1,2] z) => (float[1,1,1,2] y) <float[1,1,1,1] w = {2}, float[1] b = {-3}>
  { y = com.microsoft.FusedConv<activation = "Relu">(x, w, b, z) })");
  EXPECT_EQ(run(conv, {floats({1, 1, 1, 2}, {1, 4}), floats({1, 1, 1, 2}, {0.5F, 1})}), (std::vector<double>{0, 6}));
  const Graph bits =
      graph_of(R"(g (float[1,2] x) => (float[1,1] y) <uint8[1,1,8] w = {41, 0, 0, 0, 0, 0, 0, 0}, float[1] s = {0.5}>
  { y = com.microsoft.MatMulNBits<N = 1, K = 2, bits = 4, block_size = 16>(x, w, s) })");
  EXPECT_EQ(run(bits, {floats({1, 2}, {1, 10})}),
            (std::vector<double>{0.5 * (9 - 8) + 10 * 0.5 * (2 - 8)})); // 41: low half 9, high half 2
}

TEST(Inline, OutputsStayTheSameValues) {
  Graph graph = graph_of("g (float[2] x) => (float[2] y, float[2] z) { y = Unheard(x)  z = Neg(y) }");
  const Graph body = graph_of("b (float[2] a) => (float[2] c) <float[2] k = {1, 2}> { d = Add(a, k)  c = Abs(d) }");
  const ValueId y = graph.outputs()[0].value;
  inline_graph(graph, graph.nodes()[0], body);
  EXPECT_EQ(graph.outputs()[0].value, y);
  EXPECT_EQ(graph.producer(y)->op, "Abs");
  EXPECT_EQ(graph.node_count(), 3U);
  EXPECT_TRUE(graph.sort());
  EXPECT_TRUE(verify(graph));
}

TEST(Inline, AnInputThatIsAnOutputIsCopied) {
  Graph graph = graph_of("g (float[2] x) => (float[2] y) { y = Unheard(x) }");
  const Graph body = graph_of("b (float[2] a) => (float[2] a) { }");
  inline_graph(graph, graph.nodes()[0], body);
  ASSERT_EQ(graph.node_count(), 1U);
  EXPECT_EQ(graph.node(graph.nodes()[0]).op, "Identity");
}

} // namespace
} // namespace edgec
