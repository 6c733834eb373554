#include "job/proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"

namespace edgec {
namespace {

using testing::HasSubstr;

/// Changes the type of the first node of one type. Relu to Clip is right here: Clip without bounds of what is not below
/// 0.
Result<bool> shorten(Graph &graph, std::string_view from, std::string_view to) {
  for (const NodeId id : graph.nodes()) {
    if (!graph.node(id).is(from)) continue;
    graph.set_op(id, std::string(to));
    return true;
  }
  return false;
}
const PassDef right{"right", "", [](Graph &graph, const PassContext &) { return shorten(graph, "Relu", "Clip"); }};
const PassDef wrong{"wrong", "", [](Graph &graph, const PassContext &) { return shorten(graph, "Neg", "Abs"); }};

struct Network {
  Graph graph;
  Dataset data;
  std::vector<std::string> warnings;

  explicit Network(std::string_view text) : graph(std::move(*parse_graph(text))) {
    EXPECT_TRUE(infer_types(graph, all_ops()));
    data = std::move(*synthetic_dataset(graph, 2, 0));
  }

  Result<PipelineReport> prove(std::vector<const PassDef *> passes) {
    const Graph source = graph;
    const Proof proof{source, data, {}};
    return run_proven(graph, passes, PassContext{.ops = all_ops()}, {}, proof, warnings);
  }
};

constexpr std::string_view text =
    "<opset_import: [\"\" : 13]> g (float[3] x) => (float[3] y) { a = Abs(x)  b = Relu(a)  y = Neg(b) }";

TEST(Proof, LeavesOutThePassThatMovedAnOutput) {
  Network network(text);
  const auto report = network.prove({&wrong, &right});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(to_text(network.graph), HasSubstr("Neg"));
  EXPECT_THAT(to_text(network.graph), HasSubstr("Clip"));
  ASSERT_EQ(network.warnings.size(), 1U);
  EXPECT_THAT(network.warnings[0],
              testing::MatchesRegex("pass wrong was left out: output y moved by up to .*; please report it"));
  EXPECT_FALSE(report->passes[0].rejected.empty());
  EXPECT_TRUE(report->passes[1].rejected.empty());
}

TEST(Proof, SaysNothingWhereNothingMoved) {
  Network network(text);
  ASSERT_TRUE(network.prove({&right}));
  EXPECT_THAT(to_text(network.graph), HasSubstr("Clip"));
  EXPECT_TRUE(network.warnings.empty());
}

TEST(Proof, NetworksThatCannotBeRunAreRewrittenAllTheSame) {
  Network network("<opset_import: [\"\" : 13]> g (float[3] x) => (float[3] y) { a = com.acme.Magic(x)  y = Neg(a) }");
  ASSERT_TRUE(network.prove({&wrong}));
  EXPECT_THAT(to_text(network.graph), HasSubstr("Abs"));
}

TEST(MovedOutput, IntegersMustBeEqualAndRealsWithinTheTolerance) {
  const Network network("g (int64[1] n, float[1] x) => (int64[1] i, float[1] y) { i = Neg(n)  y = Neg(x) }");
  Fidelity fidelity;
  fidelity.outputs = {{"i", {.max_error = 0, .max_reference = 1000}},
                      {"y", {.max_error = 0.009, .max_reference = 1000}}};
  EXPECT_EQ(moved_output(network.graph, fidelity, 1e-5), std::nullopt);
  fidelity.outputs[0].noise.max_error = 0.001;
  EXPECT_EQ(moved_output(network.graph, fidelity, 1e-5), "output i moved by up to 0.001 of 1e+03");
  fidelity.outputs[0].noise.max_error = 0;
  fidelity.outputs[1].noise.max_error = 0.011;
  EXPECT_EQ(moved_output(network.graph, fidelity, 1e-5), "output y moved by up to 0.011 of 1e+03");
}

} // namespace
} // namespace edgec
