#include "measure/steadiness.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "support/random.h"

namespace edgec {
namespace {

class Noise : public SampleSet {
public:
  std::size_t size() const override { return 8; }
  std::string label(std::size_t index) const override { return std::to_string(index); }
  std::string description() const override { return "noise"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(index);
    std::vector<float> values(16);
    for (float &value : values) value = static_cast<float>(random.normal());
    return Sample{Tensor::of<float>({1, 16}, std::move(values))};
  }
};

/// dB of a network of x beside itself.
double steadiness(const std::string &nodes) {
  auto graph = parse_graph("<opset_import: [\"\" : 13]>\ng (float[1,16] x) => (float[1,16] y)\n  <float step = {0.5}, "
                           "float large = {1000.0}, uint8 zero = {128}>\n{ " +
                           nodes + " }\n");
  EXPECT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(infer_types(*graph, all_ops()));
  const std::size_t all[] = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto found = measure_steadiness(*graph, all_ops(), Noise(), {.indices = all});
  EXPECT_TRUE(found) << found.error().message;
  return found->sqnr_db();
}

TEST(Steadiness, OfALinearNetworkIsThatOfItsInputs) {
  EXPECT_NEAR(steadiness("y = Mul(x, large)"), 20 * std::log10(1 / input_nudge), 0.5);
}

TEST(Steadiness, IsLostWhereSmallDifferencesBecomeLarge) { EXPECT_LT(steadiness("a = Mul(x, large)  y = Sin(a)"), 30); }

TEST(Steadiness, OfCoarseCodesIsThatOfTheValuesThatCrossABorder) {
  EXPECT_GT(steadiness("c = QuantizeLinear(x, step, zero)  y = DequantizeLinear(c, step, zero)"), 30);
}

} // namespace
} // namespace edgec
