#include "calibrate/calibrate.h"

#include <numeric>

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"

namespace edgec {
namespace {

/// Two samples of two numbers.
class Pairs : public SampleSet {
public:
  std::size_t size() const override { return 2; }
  std::string label(std::size_t index) const override { return "pair " + std::to_string(index); }
  std::string description() const override { return "pairs"; }
  Result<Sample> load(std::size_t index) const override {
    return Sample{Tensor::of<float>({1, 2}, index == 0 ? std::vector<float>{1, -2} : std::vector<float>{3, 0})};
  }
};

TEST(Calibrate, SeesBranchesThatTheFetchesDoNotNeed) {
  auto graph = parse_graph(R"(<opset_import: ["" : 13]>
g (float[1,2] x) => (float[1,2] y, float[1,2] z)
{
  y = Relu(x)
  z = Neg(x)
}
)");
  ASSERT_TRUE(graph) << graph.error().message;
  ASSERT_TRUE(infer_types(*graph, all_ops()));
  const ValueId first = graph->outputs()[0].value, second = graph->outputs()[1].value;
  CalibrationOptions options;
  options.ranges = {first, second};
  options.fetches = {first};
  std::vector<std::size_t> fetched(2);
  options.fetched = [&](std::size_t index, const std::vector<Tensor> &fetches) { fetched[index] = fetches.size(); };
  const std::vector<std::size_t> which{0, 1};
  const auto calibration = calibrate(*graph, all_ops(), Pairs(), which, options);
  ASSERT_TRUE(calibration) << calibration.error().message;
  const int both[] = {0, 1};
  const RangeStatistics statistics = calibration->merged(both);
  EXPECT_EQ(statistics.at(second).minimum, -3);
  EXPECT_EQ(statistics.at(second).maximum, 2);
  EXPECT_EQ(fetched, std::vector<std::size_t>(2, 1)); // the fetches alone
}

/// Thirty samples of 4,000 numbers, the first of them larger than the others by a factor.
class Rows : public SampleSet {
public:
  explicit Rows(float first) : first_(first) {}
  std::size_t size() const override { return 30; }
  std::string label(std::size_t index) const override { return "row " + std::to_string(index); }
  std::string description() const override { return "rows"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(index);
    std::vector<float> values(4000);
    for (float &value : values) value = static_cast<float>(random.normal()) * (index < 8 ? first_ : 1);
    return Sample{Tensor::of<float>({1, 4000}, values)};
  }

private:
  float first_;
};

TEST(Calibrate, APercentileIsThatOfEveryValue) {
  auto graph = parse_graph(R"(<opset_import: ["" : 13]>
g (float[1,4000] x) => (float[1,4000] y)
{
  y = Relu(x)
}
)");
  ASSERT_TRUE(graph) << graph.error().message;
  ASSERT_TRUE(infer_types(*graph, all_ops()));
  std::vector<std::size_t> which(30);
  std::iota(which.begin(), which.end(), 0);
  CalibrationOptions options;
  options.ranges = {graph->inputs()[0], graph->outputs()[0].value};
  options.histograms = true;
  for (const float first : {0.5F, 1.0F, 100.0F}) // the last: no tail of the first samples is one of all
    for (const double percentile : {99.99, 90.0}) {
      const auto range_of = [&](std::optional<double> only, int threads) {
        options.percentile = only;
        options.threads = threads;
        const auto found = calibrate(*graph, all_ops(), Rows(first), which, options);
        EXPECT_TRUE(found) << found.error().message;
        const int both[] = {0, 1};
        std::vector<float> ends;
        for (const auto &[id, statistics] : found->merged(both)) {
          EXPECT_EQ(statistics.histogram->total(), 30U * 4000);
          const Range range = choose_range(statistics, RangeMethod::percentile, percentile);
          ends.push_back(range.low), ends.push_back(range.high);
        }
        return ends;
      };
      EXPECT_EQ(range_of(percentile, 1), range_of(std::nullopt, 1)) << first << ", " << percentile;
      EXPECT_EQ(range_of(percentile, 2), range_of(std::nullopt, 1)) << first << ", " << percentile;
    }
}

} // namespace
} // namespace edgec
