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
  [[nodiscard]] std::size_t size() const override { return 32; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(1000 + index);
    std::vector<float> image(4 * 6 * 6);
    for (float &value : image) value = static_cast<float>(random.normal());
    return Sample{Tensor::of({1, 4, 6, 6}, std::move(image))};
  }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "noise"; }
};

/// A constant of normal numbers; of `rank` as a matrix [first dim, rest] where that is not 0.
Tensor weights(const Dims &dims, std::size_t rank, std::uint64_t seed) {
  Random random(seed);
  const auto rows = static_cast<std::size_t>(dims[0]), columns = static_cast<std::size_t>(*element_count(dims)) / rows;
  std::vector<double> values(rows * columns);
  if (rank == 0)
    for (double &value : values) value = 0.3 * random.normal();
  for (std::size_t r = 0; r < rank; ++r) {
    std::vector<double> right(columns);
    for (double &value : right) value = random.normal();
    for (std::size_t i = 0; i < rows; ++i) {
      const double left = 0.3 * random.normal();
      for (std::size_t j = 0; j < columns; ++j) values[i * columns + j] += left * right[j];
    }
  }
  return from_doubles(DType::float32, dims, values);
}

/// A strided 1x1 convolution and a Gemm of ranks that are given (0: full), a MatMul of full rank behind them.
Graph network(std::size_t point_rank, std::size_t gemm_rank) {
  Graph graph = parse_graph(R"(
    g (float[1,4,6,6] x, float[32,4,3,3] a, float[48,32,1,1] b, float[48] bb, float[40,48] c, float[40] cb, float[40,30] d) => (float[1,30] z) <int64[2] flat = {1, 48}> {
      [stem] s = Conv<pads = [1, 1, 1, 1]>(x, a)
      r = Relu(s)
      [point] t = Conv<strides = [2, 2], pads = [1, 1, 0, 0]>(r, b, bb)
      u = Relu(t)
      p = GlobalAveragePool(u)
      q = Reshape(p, flat)
      [dense] v = Gemm<transB = 1>(q, c, cb)
      w = Relu(v)
      [last] z = MatMul(w, d)
    })")
                    .value();
  graph.opsets[""] = 17;
  const std::vector<ValueId> inputs = graph.inputs();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    const Dims dims = *graph.value(inputs[i]).type.concrete();
    const std::size_t rank = dims == Dims{48, 32, 1, 1} ? point_rank : dims == Dims{40, 48} ? gemm_rank : 0;
    graph.replace_uses(inputs[i], graph.add_constant(weights(dims, rank, i), graph.value(inputs[i]).name));
    graph.remove(inputs[i]);
  }
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

Outcome split(const Graph &graph, const Words &words, int threads = 1) {
  return run_pass("low-rank", graph, RandomImages(), words, threads);
}

double sqnr(const Graph &a, const Graph &b) { return sqnr(a, b, RandomImages(), 8); }

bool told(const Outcome &outcome, std::string_view node, std::string_view text, bool skipped) {
  return std::ranges::any_of(outcome.notes, [&](const PassNote &note) {
    return note.node == node && note.text.find(text) != std::string::npos && note.skipped == skipped;
  });
}

std::size_t count_of(const Graph &graph, std::string_view label) {
  return static_cast<std::size_t>(
      std::ranges::count_if(graph.nodes(), [&](NodeId id) { return graph.node(id).label() == label; }));
}

TEST(LowRankPass, SplitsLayersThatHaveFewComponentsWithoutLoss) {
  const Graph before = network(6, 5);
  const Outcome after = split(before, {"low-rank=0.4", "low-rank-sqnr=60"});
  EXPECT_EQ(count_of(after.graph, "point"), 2U);
  EXPECT_EQ(count_of(after.graph, "dense"), 2U);
  EXPECT_EQ(count_of(after.graph, "last"), 1U);
  EXPECT_GT(sqnr(before, after.graph), 60);
  const GraphSizes small = measure_sizes(after.graph, all_ops()), large = measure_sizes(before, all_ops());
  EXPECT_LT(small.macs, large.macs);
  EXPECT_LT(small.parameters, large.parameters);
  EXPECT_TRUE(told(after, "point", "rank 7: 560 weights instead of 1536", false));
  EXPECT_TRUE(told(after, "stem", "its kernel is larger than 1", true));
}

TEST(LowRankPass, LeavesALayerThatWouldCostTheAnswersTooMuchAndSaysSo) {
  const Graph before = network(0, 5);
  const Outcome after = split(before, {"low-rank=0.4", "low-rank-sqnr=40"});
  EXPECT_EQ(count_of(after.graph, "point"), 1U);
  EXPECT_EQ(count_of(after.graph, "dense"), 2U);
  EXPECT_TRUE(told(after, "point", "dB by itself, 40 are to stay", true));
  EXPECT_GT(sqnr(before, after.graph), 40);
}

TEST(LowRankPass, TakesMoreWhereMoreMayBeLost) {
  const Graph before = network(0, 0);
  const auto parameters = [&](double db) {
    return measure_sizes(split(before, {"low-rank=0.6", fmt::format("low-rank-sqnr={}", db)}).graph, all_ops())
        .parameters;
  };
  EXPECT_EQ(parameters(90), measure_sizes(before, all_ops()).parameters);
  EXPECT_LT(parameters(3), parameters(90));
}

TEST(LowRankPass, SameBytesForAnyNumberOfThreads) {
  const Graph before = network(6, 5);
  EXPECT_EQ(to_text(split(before, {"low-rank=0.4", "low-rank-sqnr=40"}, 1).graph),
            to_text(split(before, {"low-rank=0.4", "low-rank-sqnr=40"}, 3).graph));
}

TEST(LowRankPass, NeedsSamples) {
  EXPECT_THAT(error_without_samples("low-rank", network(6, 5), {"low-rank=0.5"}), HasSubstr("--calib"));
}

} // namespace
} // namespace edgec
