// What users change of a network: input shapes, the batch.
#include <gmock/gmock.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "passes/edit.h"

namespace edgec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Graph graph_of(const char *text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message;
  graph->opsets[""] = 13;
  const auto inferred = infer_types(*graph, all_ops());
  EXPECT_TRUE(inferred) << inferred.error().message;
  return *std::move(graph);
}

ValueId value(const Graph &graph, std::string_view name) {
  for (const ValueId id : graph.values())
    if (graph.value(id).name == name) return id;
  return {};
}

std::string type_of(const Graph &graph, std::string_view name) {
  return to_string(graph.value(value(graph, name)).type);
}

Status reshape(Graph &graph, const char *name, Shape shape) {
  const ShapeEdit edit{name, std::move(shape)};
  EDGEC_CHECK(set_input_shapes(graph, {&edit, 1}));
  return infer_types(graph, all_ops());
}

TEST(SetInputShapes, WhatIsComputedFollows) {
  Graph graph = graph_of("g (float[1,3,8,8] x, float[4,3,3,3] w) => (float[1,4,6,6] y) { y = Conv(x, w) }");
  ASSERT_TRUE(reshape(graph, "x", {Dim::known(2), Dim::known(3), Dim::known(20), Dim::unknown()}));
  EXPECT_EQ(type_of(graph, "y"), "float[2,4,18,?]");
}

TEST(SetInputShapes, ASymbolBecomesItsNumberEverywhere) {
  Graph graph = graph_of("g (float[N,3] x, float[N,3] z) => (float[N,3] y) { y = Add(x, z) }");
  ASSERT_TRUE(reshape(graph, "x", {Dim::known(5), Dim::known(3)}));
  EXPECT_EQ(type_of(graph, "z"), "float[5,3]");
  Graph named = graph_of("g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }");
  ASSERT_TRUE(reshape(named, "N", {Dim::known(7)}));
  EXPECT_EQ(type_of(named, "y"), "float[7,3]");
}

TEST(SetInputShapes, WhatDoesNotFitIsRefused) {
  Graph graph = graph_of("g (float[N,N] x) => (float[N,N] y) { y = Relu(x) }");
  EXPECT_THAT(reshape(graph, "x", {Dim::known(1)}).error().message,
              HasSubstr("input x is float[N,N]: 1 dimensions are given"));
  EXPECT_THAT(reshape(graph, "x", {Dim::known(1), Dim::known(2)}).error().message,
              HasSubstr("dimension N is to be 1 and 2"));
  EXPECT_THAT(reshape(graph, "z", {Dim::known(1)}).error().message,
              HasSubstr("no input or symbolic dimension named z"));
  Graph product = graph_of("g (float[2,3] x, float[3,4] w) => (float[2,4] y) { y = MatMul(x, w) }");
  EXPECT_THAT(reshape(product, "x", {Dim::known(2), Dim::known(5)}).error().message, HasSubstr("(MatMul)"));
}

TEST(SetBatch, ReshapesAndResizesToTheOldBatchFollow) {
  const char *text = "g (float[1,2,4,4] x, float[1,2] s) => (float[1,32] y, float[1,2,8,8] z, float[1,2] t)"
                     "<int64[2] to = {1,-1}, float[1] none = {1}, int64[4] size = {1,2,8,8}>"
                     "{ y = Reshape(x, to)  z = Resize(x, , , size)  t = Relu(s) }";
  Graph graph = graph_of(text);
  std::vector<std::string> notes;
  const auto done = set_batch(graph, Dim::known(3), all_ops(), notes);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(type_of(graph, "s"), "float[3,2]"); // shares the batch of x
  EXPECT_EQ(type_of(graph, "y"), "float[3,32]");
  EXPECT_EQ(type_of(graph, "z"), "float[3,2,8,8]");
  EXPECT_THAT(notes, IsEmpty());
  Graph named = graph_of(text);
  ASSERT_TRUE(set_batch(named, Dim::unknown(), all_ops(), notes));
  EXPECT_EQ(type_of(named, "y"), "float[N,32]");
}

TEST(SetBatch, ABatchWithANameKeepsIt) {
  Graph graph = graph_of("g (float[B,2] x) => (float[B,2] y) { y = Relu(x) }");
  std::vector<std::string> notes;
  ASSERT_TRUE(set_batch(graph, Dim::unknown(), all_ops(), notes));
  EXPECT_EQ(type_of(graph, "y"), "float[B,2]");
}

TEST(SetBatch, OutputsWithoutABatchAreNamed) {
  Graph graph = graph_of("g (float[1,2] x) => (float[1] y) <int64[1] axis = {0}> { s = Shape(x)  t = Gather(s, axis)  "
                         "y = Cast<to = 1>(t) }");
  std::vector<std::string> notes;
  ASSERT_TRUE(set_batch(graph, Dim::known(2), all_ops(), notes));
  EXPECT_THAT(notes, ElementsAre(HasSubstr("output y does not depend on the batch: float[1]")));
}

} // namespace
} // namespace edgec
