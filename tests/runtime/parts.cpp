// Run in parts, a network computes what it computes in one.
#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/parts.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

Graph graph_of(const char *text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message;
  graph->opsets[""] = 13;
  const auto inferred = infer_types(*graph, all_ops());
  EXPECT_TRUE(inferred) << inferred.error().message;
  return *std::move(graph);
}

std::vector<ValueId> outputs_of(const Graph &graph) {
  std::vector<ValueId> ids;
  for (const GraphOutput &output : graph.outputs()) ids.push_back(output.value);
  return ids;
}

/// Values that cross parts, skip some, end in the middle, are inputs or constants, and sub-graphs that read them.
constexpr const char *network = "g (float[N,2] x, bool c) => (float[N,2] y, float[N,2] a, float[2,2] w, float[N,2] x)"
                                "<float[2,2] w = {1,2,3,4}, float[2] b = {5,6}> {"
                                "  a = MatMul(x, w)  dead = Neg(a)  m = Add(a, b)  n = MatMul(m, w)"
                                "  i = If(c) <then_branch = t () => (float[N,2] p) { p = Add(n, a) },"
                                "             else_branch = e () => (float[N,2] q) { q = Sub(n, x) }>"
                                "  y = Add(i, b) }";

TEST(RunInParts, GivesWhatTheWholeGives) {
  const Graph graph = graph_of(network);
  const auto fetches = outputs_of(graph);
  for (const bool condition : {false, true}) {
    const std::vector<RuntimeValue> feeds{Tensor::of<float>({3, 2}, {1, -2, 3, -4, 5, -6}),
                                          Tensor::of_bytes(DType::boolean, {}, {std::byte{condition}})};
    const auto whole = Runner(graph, all_ops(), {}).run(feeds);
    ASSERT_TRUE(whole) << whole.error().message;
    for (const std::size_t bytes :
         {std::size_t{0}, std::size_t{1}, std::size_t{16}, std::size_t{24}, std::size_t{1000}}) {
      const auto parts = run_in_parts(graph, all_ops(), feeds, fetches, {.weight_bytes = bytes});
      ASSERT_TRUE(parts) << parts.error().message;
      ASSERT_EQ(parts->size(), whole->size());
      for (std::size_t i = 0; i < whole->size(); ++i)
        EXPECT_TRUE(identical(*(*parts)[i].tensor, *(*whole)[i].tensor)) << i << " " << bytes;
    }
  }
}

TEST(RunInParts, RefusesResultsThatTakeTooMuch) {
  const Graph graph = graph_of("g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }");
  const std::vector<RuntimeValue> feeds{Tensor::of<float>({1000, 2}, std::vector<float>(2000))};
  const auto refused = run_in_parts(graph, all_ops(), feeds, outputs_of(graph), {.most_bytes = 100});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::resource);
}

} // namespace
} // namespace edgec
