#include "ir/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/dot.h"
#include "ir/text.h"

namespace edgec {
namespace {

const Type number = Type::tensor(DType::float32);

Node relu(ValueId input, ValueId output) {
  return {.op = "Relu", .name = "relu", .inputs = {input}, .outputs = {output}};
}

std::string problem(const Graph &graph) {
  const Status status = verify(graph);
  return status ? "none" : status.error().message;
}

TEST(Verify, AcceptsAGraphWithSubGraphsAndQuantizedTypes) {
  const auto graph =
      parse_graph("g (bool c, float[4] x) => (float[4] y) <int8[2,3]{axis=0; 0.1,0; 0.2,0} w = {1,2,3,4,5,6}> {"
                  " y = If(c) <p = t () => (float[4] r) { r = Neg(x) }>  q = Use(w) }");
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(problem(*graph), "none");
}

TEST(Verify, AValueThatIsReadNeedsASource) {
  Graph graph;
  const ValueId loose = graph.add_value(number, "loose");
  const ValueId out = graph.add_value(number);
  graph.add_node(relu(loose, out));
  EXPECT_EQ(problem(graph), "value 0 `loose`: it is read, but nothing computes it");
}

TEST(Verify, NodesMustStandInOrder) {
  Graph graph;
  const ValueId a = graph.add_value(number, "a"), b = graph.add_value(number), x = graph.add_input("x", number);
  graph.add_node(relu(a, b));
  graph.add_node(relu(x, a));
  EXPECT_EQ(problem(graph), "node relu: it reads value 0 `a` before the node that computes it");
  ASSERT_TRUE(graph.sort());
  EXPECT_EQ(problem(graph), "none");
}

TEST(Verify, CapturesOfNodeAndSubGraphsAgree) {
  auto graph = parse_graph("g (bool c, float x) => (float y) { y = If(c) <p = t () => (float r) { r = Neg(x) }> }");
  ASSERT_TRUE(graph);
  const NodeId node = graph->nodes().front();
  graph->set_subgraph(node, "p", *graph->node(node).get<SubGraph>("p"), {});
  EXPECT_EQ(problem(*graph), "node If#2: it has 0 captures, its sub-graphs 1");
}

TEST(Verify, InputsHaveNamesOfTheirOwn) {
  Graph graph;
  graph.add_input("x", number);
  graph.add_input("x", number);
  EXPECT_EQ(problem(graph), "two graph inputs are named `x`");
}

TEST(Verify, ConstantsAgreeWithTheirTypes) {
  Graph graph;
  const ValueId id = graph.add_constant(Tensor::of<float>({2}, {1, 2}), "w");
  graph.set_type(id, Type::tensor(DType::float32, Dims{3}));
  EXPECT_EQ(problem(graph), "value 0 `w`: its data is float[2], its type float[3]");
}

TEST(Verify, ScalesFitTheShape) {
  Graph graph;
  Type type = Type::tensor(DType::int8, Dims{4, 3});
  type.quant = Quant{{1, 1, 1}, {0, 0, 0}, 0, 0};
  const ValueId x = graph.add_input("x", type);
  EXPECT_EQ(problem(graph), "value 0 `x`: 3 scales where 4 are wanted");
  type.quant->axis = 1;
  graph.set_type(x, type);
  EXPECT_EQ(problem(graph), "none");
  type.quant->axis = -1;
  graph.set_type(x, type);
  EXPECT_EQ(problem(graph), "value 0 `x`: several scales without an axis");
}

TEST(Dot, DrawsNodesEdgesAndTheInterface) {
  const auto graph = parse_graph(
      "g (float[4] x) => (float[4] y) <float[4] w = {1,2,3,4}, float[4] a> { [n] a = Add(x, w)  y = Relu(a) }");
  ASSERT_TRUE(graph);
  EXPECT_EQ(to_dot(*graph), R"(digraph "g" {
  node [shape=box, fontname="sans-serif"]
  v0 [label="x
float[4]", shape=ellipse]
  v1 [label="w
float[4]", shape=note, color=gray]
  n0 [label="Add
n"]
  v0 -> n0 [label="float[4]"]
  v1 -> n0 [label=""]
  n1 [label="Relu"]
  n0 -> n1 [label="float[4]"]
  o0 [label="y", shape=ellipse]
  n1 -> o0 [label="float[4]"]
}
)");
}

} // namespace
} // namespace edgec
