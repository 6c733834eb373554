#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/text.h"
#include "ops/registry.h"
#include "schemes/fitting/layerwise.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

Graph network(const std::string &body, const Dims &weight) {
  Graph graph = parse_graph("<opset_import: [\"\" : 17]> " + body).value();
  Random random(5);
  std::vector<float> values(static_cast<std::size_t>(*element_count(weight)));
  for (float &x : values) x = static_cast<float>(random.normal());
  for (const NodeId id : graph.nodes())
    if (graph.node(id).inputs.size() > 1) graph.set_input(id, 1, graph.add_constant(Tensor::of(weight, values), "w"));
  graph.remove_dead();
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

/// Rows of output channels, inputs of one tap after another.
Matrix rows_of(const Graph &graph, std::size_t taps) {
  const Node &node = graph.node(graph.nodes()[0]);
  const bool conv = node.is("Conv");
  const WeightInfo info{.data = 0, .weight = 1, .channel_axis = conv || node.get_int("transB", 0) == 1 ? 0 : 1};
  const Matrix rows = weight_rows(*graph.constant(node.inputs[1]), info).value();
  Matrix by_tap(rows.rows * taps, rows.columns / taps);
  for (std::size_t r = 0; r < rows.rows; ++r)
    for (std::size_t k = 0; k < rows.columns; ++k) by_tap(r * taps + k % taps, k / taps) = rows(r, k);
  return by_tap;
}

Result<SchemeReport> prune(Graph &graph, int n, int m) {
  Job job{{.ops = all_ops()}};
  job.settings = settings_of({fmt::format("prune={}:{}", n, m), "effort=fast"});
  return run_scheme("prune-n-of-m", graph, job);
}

TEST(PruneNOfM, OfEveryMTheNLargestStay) {
  struct Layer {
    const char *body;
    Dims weight;
    std::size_t taps;
  };
  const Layer layers[] = {
      {"g (float[1,16,5,5] x) => (float[1,6,3,3] y) <float[1] w = {0}> { y = Conv(x, w) }", {6, 16, 3, 3}, 9},
      {"g (float[1,16] x) => (float[1,6] y) <float[1] w = {0}> { y = Gemm<transB = 1>(x, w) }", {6, 16}, 1},
      {"g (float[1,16] x) => (float[1,6] y) <float[1] w = {0}> { y = MatMul(x, w) }", {16, 6}, 1}};
  for (const Layer &layer : layers)
    for (const auto &[n, m] : {std::pair{2, 4}, {1, 4}, {3, 4}, {4, 8}, {1, 2}, {7, 16}}) {
      SCOPED_TRACE(fmt::format("{} {}:{}", layer.body, n, m));
      const Graph before = network(layer.body, layer.weight);
      Graph after = before;
      const auto report = prune(after, n, m);
      ASSERT_TRUE(report) << report.error().message;
      EXPECT_TRUE(report->outcome.changed);
      const Matrix was = rows_of(before, layer.taps), is = rows_of(after, layer.taps);
      for (std::size_t r = 0; r < is.rows; ++r)
        for (std::size_t k = 0; k < is.columns; k += static_cast<std::size_t>(m)) {
          double least_kept = INFINITY, most_gone = 0;
          int kept = 0;
          for (std::size_t i = k; i < k + static_cast<std::size_t>(m); ++i) {
            if (is(r, i) != 0) {
              EXPECT_EQ(is(r, i), was(r, i));
              ++kept;
              least_kept = std::min(least_kept, std::abs(was(r, i)));
            } else {
              most_gone = std::max(most_gone, std::abs(was(r, i)));
            }
          }
          EXPECT_EQ(kept, n);
          EXPECT_GE(least_kept, most_gone);
        }
    }
}

TEST(PruneNOfM, WhatHasTooFewInputsStays) {
  Graph graph = network(
      "g (float[1,6,5,5] x) => (float[1,6,3,3] y) <float[1] w = {0}> { [dw] y = Conv<group = 6>(x, w) }", {6, 1, 3, 3});
  const std::string before = to_text(graph);
  const auto report = prune(graph, 2, 4);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->outcome.idle, std::vector<std::string>{"prune-n-of-m"});
  EXPECT_EQ(to_text(graph), before);
  ASSERT_EQ(report->passes.passes[0].notes.size(), 1U);
  EXPECT_EQ(report->passes.passes[0].notes[0].text, "has no 4 neighbours along its inputs");
}

} // namespace
} // namespace edgec
