#include "measure/input_statistics.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "ir/text.h"
#include "kernels/isa.h"
#include "ops/registry.h"

namespace edgec {
namespace {

/// Pictures of two channels, normal around means 10 and -4 with standard deviations 2 and 0.5, as in training; then
/// every value v is made v * scale + shift.
class Pictures : public SampleSet {
public:
  Pictures(float scale, float shift, std::vector<std::int64_t> dims = {1, 2, 8, 8})
      : scale_(scale), shift_(shift), dims_(std::move(dims)) {}
  [[nodiscard]] std::size_t size() const override { return 16; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    std::mt19937 random(static_cast<unsigned>(index));
    std::normal_distribution<float> normal;
    const auto size = static_cast<std::size_t>(*element_count(dims_));
    std::vector<double> values(size);
    for (std::size_t i = 0; i < size; ++i)
      values[i] = scale_ * (i < size / 2 ? 10 + 2 * normal(random) : -4 + 0.5F * normal(random)) + shift_;
    return Sample{from_doubles(DType::float32, dims_, values)};
  }
  [[nodiscard]] std::string label(std::size_t) const override { return "picture"; }
  [[nodiscard]] std::string description() const override { return "pictures"; }

private:
  float scale_, shift_;
  std::vector<std::int64_t> dims_;
};

Graph parsed(std::string_view body, std::string_view shape) {
  auto graph = parse_graph("<opset_import: [\"\" : 15]>\ng (float[" + std::string(shape) + "] x) => (float[" +
                           std::string(shape) +
                           "] y) <float[2] one = {1.0, 1.0}, float[2] zero = {0.0, 0.0}, "
                           "float[2] mean = {10.0, -4.0}, float[2] variance = {4.0, 0.25}> {" +
                           std::string(body) + "}");
  EXPECT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(infer_types(*graph, all_ops()));
  return *std::move(graph);
}

constexpr std::string_view normalized = "n = Identity(x) [bn] y = BatchNormalization(n, one, zero, mean, variance)";

std::optional<InputStatistics> found(const Graph &graph, const SampleSet &samples, std::size_t count = 16) {
  std::vector<std::size_t> indices(count);
  std::iota(indices.begin(), indices.end(), 0);
  return compare_with_batch_norm(graph, all_ops(), samples, indices, Isa::scalar);
}

TEST(InputStatistics, SamplesOfTrainingAreLikeIt) {
  const auto statistics = found(parsed(normalized, "1,2,8,8"), Pictures(1, 0));
  ASSERT_TRUE(statistics);
  EXPECT_EQ(statistics->node, "bn");
  EXPECT_LT(statistics->divergence, 0.01);
  EXPECT_LT(statistics->shift, 0.1);
  EXPECT_NEAR(statistics->spread, 1, 0.1);
  EXPECT_FALSE(statistics->unlike_training());
}

TEST(InputStatistics, WhatIsNormalVariationIsLikeTraining) {
  for (const auto &[scale, shift] : {std::pair{1.05F, 0.0F}, {0.95F, 0.0F}, {1.0F, 0.5F}, {1.0F, -0.5F}})
    EXPECT_FALSE(found(parsed(normalized, "1,2,8,8"), Pictures(scale, shift))->unlike_training()) << scale << shift;
}

TEST(InputStatistics, WrongScalesAndOffsetsAreUnlikeTraining) {
  for (const auto &[scale, shift] : {std::pair{255.0F, 0.0F},
                                     {1.0F / 255, 0.0F},
                                     {127.5F, 0.0F},
                                     {1.0F / 58, 0.0F},
                                     {1.0F, 127.5F},
                                     {1.0F, -10.0F},
                                     {0.0F, 0.0F}})
    EXPECT_TRUE(found(parsed(normalized, "1,2,8,8"), Pictures(scale, shift))->unlike_training()) << scale << shift;
}

TEST(InputStatistics, NothingIsSaidWhereNothingIsKnown) {
  EXPECT_FALSE(found(parsed("y = Relu(x)", "1,2,8,8"), Pictures(1, 0)));
  EXPECT_FALSE(found(parsed("m = Add(mean, zero) y = BatchNormalization(x, one, zero, m, variance)", "1,2,8,8"),
                     Pictures(1, 0)));
  const Pictures rows(1, 0, {1, 2});
  EXPECT_TRUE(found(parsed(normalized, "1,2"), rows));
  EXPECT_FALSE(found(parsed(normalized, "1,2"), rows, 15)); // as many values of a channel
  EXPECT_FALSE(found(parsed(normalized, "1,2"), rows, 0));
}

} // namespace
} // namespace edgec
