#include <cmath>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Graph two_layers() {
  Graph graph = parse_graph(R"(
    g (float[1,2] x) => (float[1,2] z)
    <float[2,2] w = {8, -5, 7, 6}, float[2,2] v = {1, -2, 3, 4}, float[2] b = {0.1, 0.2}> {
      [big] y = MatMul(x, w)
      [small] z = Gemm(y, v, b)
    })")
                    .value();
  graph.opsets[""] = 13;
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

std::vector<float> weight(const Graph &graph, std::size_t node) {
  return to_floats(*graph.constant(graph.node(graph.nodes()[node]).inputs[1]));
}

struct Pruned {
  bool changed = false;
  std::vector<PassNote> notes;
};

Pruned prune(Graph &graph, const Words &words, const Scope &scope = {}) {
  Pruned outcome;
  Job job{{.ops = all_ops()}};
  job.settings = settings_of(words);
  job.scope = scope;
  job.note = [&](const PassNote &note) { outcome.notes.push_back(note); };
  const auto report = run_scheme("prune-magnitude", graph, job);
  EXPECT_TRUE(report) << report.error().message;
  outcome.changed = report && report->outcome.changed;
  return outcome;
}

TEST(PruneMagnitudePass, OneThresholdOverAllLayers) {
  Graph graph = two_layers();
  const Pruned outcome = prune(graph, {"prune=0.5"});
  EXPECT_THAT(weight(graph, 0), ElementsAre(8, -5, 7, 6));
  EXPECT_THAT(weight(graph, 1), ElementsAre(0, 0, 0, 0));
  ASSERT_EQ(outcome.notes.size(), 1U);
  EXPECT_EQ(outcome.notes[0].node, "small");
  EXPECT_EQ(outcome.notes[0].text, "4 of 4 weights are zero (100.0 %)");
}

TEST(PruneMagnitudePass, EachLayerItsShare) {
  Graph graph = two_layers();
  prune(graph, {"prune=0.5", "prune-scope=layer"});
  EXPECT_THAT(weight(graph, 0), ElementsAre(8, 0, 7, 0));
  EXPECT_THAT(weight(graph, 1), ElementsAre(0, 0, 3, 4));
}

TEST(PruneMagnitudePass, StaysInScope) {
  Graph graph = two_layers();
  prune(graph, {"prune=0.5"}, {.op_types = {"MatMul"}});
  EXPECT_THAT(weight(graph, 0), ElementsAre(8, 0, 7, 0));
  EXPECT_THAT(weight(graph, 1), ElementsAre(1, -2, 3, 4));
  EXPECT_FALSE(prune(graph, {"prune=0.5"}, {.op_types = {"MatMul"}}).changed);
  EXPECT_FALSE(prune(graph, {}).changed);
}

TEST(PruneMagnitudePass, DepthwiseOnlyWhereNamed) {
  const auto depthwise = [] {
    Graph graph = parse_graph(R"(
      g (float[1,2,3,3] x) => (float[1,2,3,3] y) <float[2,1,1,1] w = {1, 2}> { [dw] y = Conv<group = 2>(x, w) })")
                      .value();
    graph.opsets[""] = 13;
    EXPECT_TRUE(infer_types(graph, all_ops()));
    return graph;
  };
  Graph graph = depthwise();
  const Pruned left = prune(graph, {"prune=0.5"});
  EXPECT_FALSE(left.changed);
  ASSERT_EQ(left.notes.size(), 1U);
  EXPECT_TRUE(left.notes[0].skipped);
  EXPECT_THAT(left.notes[0].text, HasSubstr("depthwise"));
  EXPECT_TRUE(prune(graph, {"prune=0.5"}, {.named = {"dw"}}).changed);
  EXPECT_THAT(weight(graph, 0), ElementsAre(0, 2));
}

TEST(PruneMagnitudePass, AWeightThatOthersReadIsCopied) {
  Graph graph = parse_graph(R"(
    g (float[1,2] x) => (float[1,2] y, float[2,2] n)
    <float[2,2] w = {8, -5, 7, 6}> { [m] y = MatMul(x, w)  [n] n = Neg(w) })")
                    .value();
  graph.opsets[""] = 13;
  ASSERT_TRUE(infer_types(graph, all_ops()));
  prune(graph, {"prune=0.5"});
  EXPECT_THAT(weight(graph, 0), ElementsAre(8, 0, 7, 0));
  EXPECT_THAT(to_floats(*graph.constant(graph.node(graph.nodes()[1]).inputs[0])), ElementsAre(8, -5, 7, 6));
}

TEST(PruneMagnitudePass, ANanIsRefused) {
  Graph graph = two_layers();
  graph.set_data(graph.node(graph.nodes()[0]).inputs[1], Tensor::of<float>({2, 2}, {1, NAN, 2, 3}));
  Job job{{.ops = all_ops()}};
  job.settings = settings_of({"prune=0.5"});
  const auto report = run_scheme("prune-magnitude", graph, job);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::bad_input);
  EXPECT_THAT(report.error().message, HasSubstr("node big: its weight holds a NaN"));
}

} // namespace
} // namespace edgec
