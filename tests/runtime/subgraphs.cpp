// Sub-graphs at run time: what reads their results, captures, shapes that change from one evaluation to the next.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

Graph graph_of(std::string_view text) {
  auto graph = parse_graph(text);
  if (!graph) throw std::runtime_error(graph.error().message);
  graph->opsets = {{"", 17}};
  return std::move(*graph);
}

Tensor floats(Dims dims, std::vector<float> values) { return Tensor::of(std::move(dims), std::move(values)); }
Tensor boolean(bool value) { return from_int64s(DType::boolean, {}, std::vector<std::int64_t>{value}); }

std::vector<float> run(Runner &runner, const std::vector<Tensor> &feeds) {
  const auto results = runner.run_tensors(feeds);
  if (!results) throw std::runtime_error(results.error().message);
  return to_floats(results->front());
}

TEST(SubGraphs, WhatReadsAResultOfKnownSizeIsPlannedLikeEverythingElse) {
  const Graph graph = graph_of(R"(g (bool c, float[2] x) => (float[2] y) {
    z = If(c) <then_branch = yes () => (float[2] r) { r = Neg(x) }, else_branch = no () => (float[2] s) { s = Abs(x) }>
    y = Relu(z)
  })");
  Runner runner(graph, all_ops(), {});
  EXPECT_EQ(run(runner, {boolean(true), floats({2}, {-1, 2})}), (std::vector<float>{1, 0}));
  EXPECT_EQ(run(runner, {boolean(false), floats({2}, {-1, 2})}), (std::vector<float>{1, 2}));
  const Type feeds[] = {Type::tensor(DType::boolean, Dims{}), Type::tensor(DType::float32, Dims{2})};
  const auto plan = runner.plan(feeds);
  ASSERT_TRUE(plan);
  EXPECT_EQ((*plan)->steps().back().op, "Relu");
  EXPECT_EQ((*plan)->steps().back().kernel.find("run time"), std::string::npos);
}

/// Adds up `count` pooled values that a node with sub-graphs captures; pooling leaves them channels last, a body reads
/// them plain. The condition, computed too, is its first operand.
std::string captures(std::size_t count, bool inside) {
  std::string values, sum = "p0";
  for (std::size_t i = 0; i < count; ++i)
    values += fmt::format("p{} = AveragePool<kernel_shape = [2, 2], pads = [{}, {}, {}, {}]>(x)\n", i, i & 1,
                          i >> 1 & 1, 1 - (i & 1), 1 - (i >> 1 & 1));
  std::string body;
  for (std::size_t i = 1; i < count; ++i) {
    body += fmt::format("s{} = Add({}, p{})\n", i, sum, i);
    sum = fmt::format("s{}", i);
  }
  body += fmt::format("r = Neg({})\n", sum);
  const std::string branches = fmt::format("y = If(c) <then_branch = a () => (float[2,3,5,4] r) {{ {} }}, else_branch "
                                           "= b () => (float[2,3,5,4] e) {{ e = Neg(p0) }}>\n",
                                           body);
  return fmt::format("g (float[2,3,5,4] x) => (float[2,3,5,4] y) <float least = {{-100}}> {{ {} m = "
                     "ReduceMean<keepdims = 0>(x) c = Greater(m, least) {} }}",
                     values, inside ? branches : body + "y = Identity(r)\n");
}

TEST(SubGraphs, OperandsThatAreReorderedLeaveEachOtherWhole) {
  std::vector<float> numbers(120);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>((i * 37) % 101) / 8;
  const Tensor x = floats({2, 3, 5, 4}, numbers);
  for (const bool check : {false, true})
    for (std::size_t count = 1; count <= 9; ++count) {
      const Graph whole = graph_of(captures(count, false)), branched = graph_of(captures(count, true));
      Runner expected(whole, all_ops(), {}), runner(branched, all_ops(), {.isa = detect_isa(), .check_writes = check});
      EXPECT_EQ(run(runner, {x}), run(expected, {x})) << count << " captures";
    }
}

TEST(SubGraphs, ALoopMayGrowItsState) {
  const Graph graph = graph_of(R"(g (int64 n, float[1] x) => (float[?] y) <bool yes = {1}> {
    y = Loop(n, yes, x) <body = b (int64 i, bool c, float[?] s) => (bool d, float[?] t) {
      d = Identity(c)
      t = Concat<axis = 0>(s, x)
    }>
  })");
  Runner runner(graph, all_ops(), {});
  EXPECT_EQ(run(runner, {Tensor::scalar<std::int64_t>(3), floats({1}, {7})}), (std::vector<float>{7, 7, 7, 7}));
  EXPECT_EQ(run(runner, {Tensor::scalar<std::int64_t>(0), floats({1}, {7})}), (std::vector<float>{7}));
}

TEST(SubGraphs, ABodyMayDeclareItsTripNumberAsAVector) {
  const Graph graph = graph_of(R"(g (int64 n, int64[1] x) => (int64[1] y) <bool yes = {1}> {
    y = Loop(n, yes, x) <body = b (int64[1] i, bool[1] c, int64[1] s) => (bool[1] d, int64[1] t) {
      d = Identity(c)
      t = Add(s, i)
    }>
  })");
  Runner runner(graph, all_ops(), {});
  const auto results =
      runner.run_tensors(std::vector<Tensor>{Tensor::scalar<std::int64_t>(4), Tensor::of<std::int64_t>({1}, {1})});
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_EQ(to_int64s(results->front()), (std::vector<std::int64_t>{7}));
}

TEST(SubGraphs, DeclaredSizesOfOutputsAreNotBelieved) {
  const Graph graph = graph_of(R"(g (float[?] x, int64[2] shape) => (float[1,4] y) { y = Reshape(x, shape) })");
  Runner runner(graph, all_ops(), {});
  const auto results =
      runner.run_tensors(std::vector<Tensor>{floats({4}, {1, 2, 3, 4}), Tensor::of<std::int64_t>({2}, {2, 2})});
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_EQ(results->front().dims, (Dims{2, 2}));
}

} // namespace
} // namespace edgec
