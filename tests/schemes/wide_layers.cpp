// A layer that sums over so many numbers that its second moments are not kept by folds.
#include <gtest/gtest.h>

#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

constexpr std::int64_t width = 2400; // 46 MB a matrix

/// A few patterns, in random shares: what such a layer reads hangs together.
class Patterns : public SampleSet {
public:
  [[nodiscard]] std::size_t size() const override { return 40; }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "patterns"; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    constexpr std::uint64_t patterns = 8;
    std::vector<float> values(static_cast<std::size_t>(width));
    Random shares(1000 + index);
    for (std::uint64_t pattern = 0; pattern < patterns; ++pattern) {
      Random numbers(pattern);
      const double share = shares.normal();
      for (float &x : values) x += static_cast<float>(share * numbers.normal());
    }
    return Sample{Tensor::of({1, width}, std::move(values))};
  }
};

Graph network() {
  Random random(7);
  std::vector<float> weights(static_cast<std::size_t>(4 * width));
  for (float &w : weights) w = static_cast<float>(0.05 * random.normal());
  Graph graph;
  graph.opsets[""] = 21;
  const ValueId x = graph.add_input("x", Type::tensor(DType::float32, Dims{1, width}));
  const ValueId w = graph.add_constant(Tensor::of({width, 4}, std::move(weights)), "w");
  const ValueId b = graph.add_constant(Tensor::of<float>({4}, {{1, 0, -1, 2}}), "b");
  Node gemm{.op = "Gemm", .inputs = {x, w, b}};
  graph.add_output(graph.add_op(gemm, Type::tensor(DType::float32, Dims{1, 4})), "y");
  return graph;
}

TEST(WideLayers, AreFittedAsNarrowOnesAre) {
  const Graph graph = network();
  const Patterns samples;
  for (const auto &[scheme, words, least_db] : {std::tuple<const char *, Words, double>{"quantize-int8", {"int8"}, 38},
                                                {"prune-second-order", {"prune=0.5"}, 40}}) {
    SCOPED_TRACE(testing::PrintToString(words));
    Graph after = graph;
    Job job = job_of(samples, words, 32);
    for (const NodeId id : graph.nodes()) job.scope.named.push_back(graph.node(id).label()); // first layers, too
    const auto report = run_scheme(scheme, after, job);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->outcome.changed);
    EXPECT_GT(sqnr(graph, after, samples, 40), least_db);
  }
}

} // namespace
} // namespace edgec
