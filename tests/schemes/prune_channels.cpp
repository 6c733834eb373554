#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "measure/sizes.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

using ::testing::HasSubstr;

class RandomImages : public SampleSet {
public:
  [[nodiscard]] std::size_t size() const override { return 24; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(1000 + index);
    std::vector<float> image(3 * 6 * 6);
    for (float &value : image) value = static_cast<float>(random.normal());
    return Sample{Tensor::of({1, 3, 6, 6}, std::move(image))};
  }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "noise"; }
};

/// Two convolutions around a sum and a classifier. Channel 3 inside is twice channel 1, and adds nothing to it.
Graph network(bool redundant = true) {
  Graph graph = parse_graph(R"(
    g (float[1,3,6,6] x, float[6,3,3,3] a, float[6] ab, float[8,6,3,3] b, float[6,8,3,3] c, float[5,6] d) => (float[1,5] z) <int64[2] flat = {1, 6}> {
      [stem] s = Conv<pads = [1, 1, 1, 1]>(x, a, ab)
      r = Relu(s)
      [inner] t = Conv<pads = [1, 1, 1, 1]>(r, b)
      u = Relu(t)
      [outer] v = Conv<pads = [1, 1, 1, 1]>(u, c)
      w = Add(v, r)
      p = GlobalAveragePool(w)
      q = Reshape(p, flat)
      [classifier] z = Gemm<transB = 1>(q, d)
    })")
                    .value();
  graph.opsets[""] = 17;
  const std::vector<ValueId> inputs = graph.inputs();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    Random random(i);
    const Dims dims = *graph.value(inputs[i]).type.concrete();
    std::vector<double> values(static_cast<std::size_t>(*element_count(dims)));
    for (double &value : values) value = 0.3 * random.normal();
    if (redundant && dims == Dims{8, 6, 3, 3})
      for (std::size_t k = 0; k < 54; ++k) values[3 * 54 + k] = 2 * values[54 + k];
    graph.replace_uses(inputs[i],
                       graph.add_constant(from_doubles(DType::float32, dims, values), graph.value(inputs[i]).name));
    graph.remove(inputs[i]);
  }
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

double macs(const Graph &graph) { return measure_sizes(graph, all_ops()).macs; }

Outcome prune(const Graph &graph, const Words &words, int threads = 1) {
  return run_pass("prune-channels", graph, RandomImages(), words, threads);
}

double sqnr(const Graph &a, const Graph &b) { return sqnr(a, b, RandomImages(), 8); }

std::int64_t inner_channels(const Graph &graph) {
  for (const NodeId id : graph.nodes())
    if (graph.node(id).label() == "inner") return graph.constant(graph.node(id).inputs[1])->dims[0];
  return 0;
}

TEST(PruneChannelsPass, TakesWhatIsRedundantFirstAndLosesNothing) {
  const Graph before = network();
  const Outcome after = prune(before, {"prune-channels=0.01"});
  EXPECT_EQ(inner_channels(after.graph), 7);
  EXPECT_LT(macs(after.graph), 0.99 * macs(before));
  EXPECT_GT(sqnr(before, after.graph), 50);
}

TEST(PruneChannelsPass, ReachesTheWorkAskedForAndKeepsMoreThanItDropsBlindly) {
  const Graph before = network(false);
  const Outcome after = prune(before, {fmt::format("max-macs={}", 0.6 * macs(before))});
  EXPECT_LE(macs(after.graph), 0.6 * macs(before));
  EXPECT_GT(macs(after.graph), 0.4 * macs(before));
  EXPECT_GT(sqnr(before, after.graph), 10);
}

TEST(PruneChannelsPass, SameBytesForAnyNumberOfThreads) {
  const Graph before = network();
  EXPECT_EQ(to_text(prune(before, {"prune-channels=0.3"}, 1).graph),
            to_text(prune(before, {"prune-channels=0.3"}, 3).graph));
}

TEST(PruneChannelsPass, NamesWhatCannotBeCut) {
  const Outcome outcome = prune(network(), {"prune-channels=0.999"});
  const auto told = [&](std::string_view node, std::string_view text) {
    return std::ranges::any_of(outcome.notes, [&](const PassNote &note) {
      return note.node == node && note.text.find(text) != std::string::npos;
    });
  };
  EXPECT_TRUE(told("classifier", "channels that cannot be cut: graph output `z`"));
  EXPECT_TRUE(told("", "nothing more can be cut"));
  EXPECT_EQ(inner_channels(outcome.graph), 1);
}

TEST(PruneChannelsPass, NeedsSamples) {
  EXPECT_THAT(error_without_samples("prune-channels", network(), {"prune-channels=0.5"}), HasSubstr("--calib"));
}

} // namespace
} // namespace edgec
