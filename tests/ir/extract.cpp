// A part of a graph as a graph of its own.
#include <gmock/gmock.h>

#include "ir/extract.h"
#include "ir/text.h"
#include "ops/registry.h"

namespace edgec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

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

constexpr const char *chain = "g (float[2] x, float[2] z) => (float[2] y) <float[2] w = {1,2}>"
                              "{ a = Relu(x)  b = Add(a, w)  c = Mul(b, z)  y = Neg(c) }";

TEST(Extract, TakesWhatLiesBetween) {
  const Graph graph = graph_of(chain);
  const std::vector<ValueId> inputs{value(graph, "a")}, outputs{value(graph, "b")};
  const auto part = extract(graph, inputs, outputs);
  ASSERT_TRUE(part) << part.error().message;
  EXPECT_EQ(to_text(*part), to_text(graph_of("g (float[2] a) => (float[2] b) <float[2] w = {1,2}> { b = Add(a, w) }")));
}

TEST(Extract, WithoutInputsTakesThoseNeeded) {
  const Graph graph = graph_of(chain);
  const std::vector<ValueId> outputs{value(graph, "b")};
  const auto part = extract(graph, {}, outputs);
  ASSERT_TRUE(part) << part.error().message;
  ASSERT_EQ(part->inputs().size(), 1U);
  EXPECT_EQ(part->value(part->inputs()[0]).name, "x");
}

TEST(Extract, WhatIsMissingIsNamed) {
  const Graph graph = graph_of(chain);
  const std::vector<ValueId> a{value(graph, "a")}, b{value(graph, "b")}, w{value(graph, "w")};
  EXPECT_THAT(extract(graph, a, {}).error().message, HasSubstr("output y also depends on the input z"));
  EXPECT_THAT(extract(graph, b, a).error().message, HasSubstr("output a also depends on the input x"));
  EXPECT_THAT(extract(graph, w, {}).error().message, HasSubstr("w is a constant"));
}

TEST(Extract, SubGraphsKeepWhatTheyCapture) {
  const Graph graph = graph_of("g (bool c, float[2] x) => (float[2] y) {"
                               "  a = Relu(x)"
                               "  y = If(c) <then_branch = t () => (float[2] p) { p = Neg(a) },"
                               "             else_branch = e () => (float[2] q) { q = Abs(a) }> }");
  const std::vector<ValueId> inputs{value(graph, "c"), value(graph, "a")};
  const auto part = extract(graph, inputs, {});
  ASSERT_TRUE(part) << part.error().message;
  EXPECT_EQ(part->node_count(), 1U);
  EXPECT_THAT(part->node(part->nodes()[0]).captures, ElementsAre(part->inputs()[1], part->inputs()[1]));
}

} // namespace
} // namespace edgec
