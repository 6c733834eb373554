#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "ir/evaluate.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

using ::testing::HasSubstr;

/// Samples of 12 numbers that depend on 5, so that weights can make up for each other.
class Correlated : public SampleSet {
public:
  std::size_t size() const override { return 120; }
  std::string label(std::size_t index) const override { return "sample " + std::to_string(index); }
  std::string description() const override { return "correlated"; }
  Result<Sample> load(std::size_t index) const override {
    Random mixing(1), random(100 + index);
    double sources[5];
    for (double &s : sources) s = random.normal();
    std::vector<float> values(12);
    for (float &x : values) {
      double sum = 0.05 * random.normal();
      for (const double s : sources) sum += s * mixing.normal();
      x = static_cast<float>(sum);
    }
    return Sample{Tensor::of<float>({1, 12}, std::move(values))};
  }
};

Tensor random_weights(Dims dims, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(random.normal());
  return Tensor::of(std::move(dims), std::move(values));
}

Graph two_layers() {
  Graph graph = parse_graph(R"(<opset_import: ["" : 13]>
    g (float[1,12] x) => (float[1,4] z)
    <float[1,1] w = {1}, float[1,1] v = {1}, float[16] b = {0,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1}> {
      [first] y = Gemm(x, w, b)
      r = Relu(y)
      [second] z = Gemm<transB = 1, alpha = 2.0>(r, v)
    })")
                    .value();
  const auto set = [&](std::size_t node, Tensor data) {
    const ValueId old = graph.node(graph.nodes()[node]).inputs[1];
    graph.set_input(graph.nodes()[node], 1, graph.add_constant(std::move(data)));
    graph.remove(old);
  };
  set(0, random_weights({12, 16}, 3));
  set(2, random_weights({4, 16}, 4));
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

struct Pruned {
  Graph graph;
  std::vector<PassNote> notes;
  std::string text;
};

Job with(const SampleSet &samples, const Words &words) { return job_of(samples, words, 80); } // the rest is held out

Pruned prune(const Graph &graph, Job job, const char *name = "prune-second-order") {
  Pruned result{graph, {}, {}};
  job.note = [&](const PassNote &note) { result.notes.push_back(note); };
  const auto report = run_scheme(name, result.graph, job);
  EXPECT_TRUE(report) << report.error().message;
  result.text = to_text(result.graph);
  return result;
}

std::vector<float> weight(const Graph &graph, std::size_t node) {
  return to_floats(*graph.constant(graph.node(graph.nodes()[node]).inputs[1]));
}

double share_of_zeros(const Graph &graph, std::size_t node) {
  const auto values = weight(graph, node);
  return static_cast<double>(std::ranges::count(values, 0.0F)) / static_cast<double>(values.size());
}

/// Squared error of the outputs on held-out samples.
double error_of(const Graph &graph, const Graph &reference, const SampleSet &samples) {
  Runner a(graph, all_ops(), {}), b(reference, all_ops(), {});
  double sum = 0;
  for (std::size_t i = 80; i < samples.size(); ++i) {
    const Sample sample = samples.load(i).value();
    const auto x = to_doubles(a.run_tensors(sample).value()[0]), y = to_doubles(b.run_tensors(sample).value()[0]);
    for (std::size_t k = 0; k < x.size(); ++k) sum += (x[k] - y[k]) * (x[k] - y[k]);
  }
  return sum;
}

TEST(PruneSecondOrder, LosesFarLessThanMagnitude) {
  const Correlated samples;
  const Graph graph = two_layers();
  const Job job = with(samples, {"prune=0.5"});
  const Pruned second_order = prune(graph, job), magnitude = prune(graph, job, "prune-magnitude");
  EXPECT_LT(error_of(second_order.graph, graph, samples), 0.3 * error_of(magnitude.graph, graph, samples));
  const double zeros = share_of_zeros(second_order.graph, 0) * 192 + share_of_zeros(second_order.graph, 2) * 64;
  EXPECT_EQ(zeros, 128);
  EXPECT_THAT(second_order.notes.back().text,
              HasSubstr("50.0 % of the prunable weights are zero, 50.0 % of the network"));
}

TEST(PruneSecondOrder, ScopesShareOutTheZeros) {
  const Correlated samples;
  const Graph graph = two_layers();
  const Pruned same = prune(graph, with(samples, {"prune=0.5", "prune-scope=layer"}));
  EXPECT_EQ(share_of_zeros(same.graph, 0), 0.5);
  EXPECT_EQ(share_of_zeros(same.graph, 2), 0.5);
  Graph small = graph;
  std::vector<float> values = weight(graph, 2);
  for (float &x : values) x /= 1000;
  small.set_data(small.node(small.nodes()[2]).inputs[1], Tensor::of({4, 16}, values));
  const Pruned global = prune(small, with(samples, {"prune=0.25", "prune-scope=global"}));
  EXPECT_GT(share_of_zeros(global.graph, 2), 0.9);
  // What a layer's weights are worth does not depend on how large its numbers are written.
  const Pruned first = prune(graph, with(samples, {"prune=0.5"}));
  const Pruned second = prune(small, with(samples, {"prune=0.5"}));
  EXPECT_NEAR(share_of_zeros(first.graph, 2), share_of_zeros(second.graph, 2), 0.05);
}

TEST(PruneSecondOrder, NoLayerDiesAndNoneIsWorseOffThanWithEqualShares) {
  const Correlated samples;
  for (const double scale : {1.0, 1e-3})
    for (const double ratio : {0.5, 0.7, 0.8, 0.9}) {
      Graph graph = two_layers();
      std::vector<float> values = weight(graph, 2);
      for (float &x : values) x *= static_cast<float>(scale);
      graph.set_data(graph.node(graph.nodes()[2]).inputs[1], Tensor::of({4, 16}, values));
      const Pruned chosen = prune(graph, with(samples, {fmt::format("prune={}", ratio)}));
      const Pruned alike = prune(graph, with(samples, {fmt::format("prune={}", ratio), "prune-scope=layer"}));
      for (const std::size_t node : {0U, 2U}) EXPECT_LE(share_of_zeros(chosen.graph, node), 0.95) << ratio;
      EXPECT_LE(error_of(chosen.graph, graph, samples), 1.1 * error_of(alike.graph, graph, samples)) << ratio;
    }
}

TEST(PruneSecondOrder, NOfM) {
  const Correlated samples;
  const Pruned pruned = prune(two_layers(), with(samples, {"prune=2:4"}));
  const std::vector<float> v = weight(pruned.graph, 2); // [4, 16]: groups of inputs lie side by side
  for (std::size_t i = 0; i < v.size(); i += 4)
    EXPECT_EQ(std::count(v.begin() + static_cast<long>(i), v.begin() + static_cast<long>(i) + 4, 0.0F), 2);
  const std::vector<float> w = weight(pruned.graph, 0); // [12, 16]: below each other
  for (std::size_t row = 0; row < 12; row += 4)
    for (std::size_t c = 0; c < 16; ++c) {
      int zeros = 0;
      for (std::size_t i = row; i < row + 4; ++i) zeros += w[i * 16 + c] == 0 ? 1 : 0;
      EXPECT_EQ(zeros, 2);
    }
}

TEST(PruneSecondOrder, SameForAnyNumberOfThreads) {
  const Correlated samples;
  Job job = with(samples, {"prune=0.6"});
  const std::string one = prune(two_layers(), job).text;
  job.threads = 3;
  EXPECT_EQ(prune(two_layers(), job).text, one);
}

TEST(PruneSecondOrder, NeedsSamples) {
  EXPECT_THAT(error_without_samples("prune-second-order", two_layers(), {"prune=0.5"}), HasSubstr("--calib"));
}

} // namespace
} // namespace edgec
