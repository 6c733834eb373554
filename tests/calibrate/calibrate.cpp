#include "calibrate/calibrate.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"

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

} // namespace
} // namespace edgec
