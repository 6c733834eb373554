// Samples distilled to the moments of BatchNormalization.
#include <gmock/gmock.h>

#include <numeric>

#include "autodiff/builder.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "support/random.h"
#include "train/distilled_samples.h"

namespace edgec {
namespace {

using testing::HasSubstr;

/// Normal numbers, the same for one seed.
class Noise : public SampleSet {
public:
  [[nodiscard]] std::size_t size() const override { return 20; }
  [[nodiscard]] std::string label(std::size_t) const override { return "noise"; }
  [[nodiscard]] std::string description() const override { return "noise"; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(index + 1);
    std::vector<float> values(3 * 12 * 12);
    for (float &x : values) x = static_cast<float>(random.normal());
    return Sample{Tensor::of({1, 3, 12, 12}, std::move(values))};
  }
};

Tensor random_tensor(Dims dims, double mean, double deviation, Random &random) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(mean + deviation * random.normal());
  return Tensor::of(std::move(dims), std::move(values));
}

/// Two convolutions whose normalizations saw other moments than noise gives.
Graph network(bool normalized) {
  Graph graph;
  graph.opsets[""] = 17;
  Random random(5);
  Builder b(graph, all_ops());
  ValueId x = graph.add_input("x", Type::tensor(DType::float32, Dims{1, 3, 12, 12}));
  for (const std::int64_t channels : {std::int64_t{3}, std::int64_t{6}}) {
    x = b.op("Conv", {x, b.constant(random_tensor({6, channels, 3, 3}, 0, 0.3, random))});
    const auto each = [&](double mean, double deviation) {
      return b.constant(random_tensor({6}, mean, deviation, random));
    };
    if (normalized) x = b.op("BatchNormalization", {x, each(1, 0.1), each(0, 0.1), each(0.5, 0.5), each(0.6, 0.05)});
    x = b.op("Relu", {x});
  }
  graph.add_output(x, "y");
  EXPECT_TRUE(b.status()) << b.status().error().message;
  return graph;
}

TEST(DistilledSamples, ComeNearToTheRunningMoments) {
  const Graph graph = network(true);
  const Noise start;
  std::vector<std::size_t> all(start.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<Sample> expected;
  for (const int threads : {1, 2}) {
    const auto found =
        distilled_samples(graph, all_ops(), start, all, {.batch = 8, .threads = threads, .isa = detect_isa()});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_LT(found->after, 0.3 * found->before);
    ASSERT_EQ(found->samples->size(), start.size()); // three batches, the last filled up
    for (std::size_t i = 0; i < start.size(); ++i) {
      const Sample sample = *found->samples->load(i);
      EXPECT_EQ(sample[0].dims, (Dims{1, 3, 12, 12}));
      EXPECT_FALSE(identical(sample[0], (*start.load(i))[0]));
      if (threads == 1) expected.push_back(sample);
      EXPECT_TRUE(identical(sample[0], expected[i][0]));
    }
  }
}

TEST(DistilledSamples, NeedNormalizations) {
  const auto found = distilled_samples(network(false), all_ops(), Noise(), std::vector<std::size_t>{0, 1}, {});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::unsupported);
  EXPECT_THAT(found.error().message, HasSubstr("no BatchNormalization is left"));
}

} // namespace
} // namespace edgec
