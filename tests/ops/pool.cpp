#include <cmath>

#include <gmock/gmock.h>

#include "tests/ops/evaluate.h"

namespace edgec {
namespace {

using test::evaluate;
using test::node_of;
using testing::ElementsAre;
using Ints = std::vector<std::int64_t>;

const Tensor row = Tensor::of<float>({1, 1, 5}, {1, 5, 2, 4, 3});

TEST(Pool, CeilModeAddsAWindowThatStartsInside) {
  const Node node = node_of("MaxPool", {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}, {"ceil_mode", std::int64_t{1}}});
  EXPECT_THAT(evaluate(node, {{row}})->as<float>(), ElementsAre(5, 4, 3));
}

TEST(Pool, AverageCountsPaddingOnlyOnRequest) {
  const std::vector<Attribute> common{{"kernel_shape", Ints{2}}, {"pads", Ints{1, 1}}, {"strides", Ints{2}}};
  auto counting = common;
  counting.push_back({"count_include_pad", std::int64_t{1}});
  EXPECT_THAT(evaluate(node_of("AveragePool", common), {{row}})->as<float>(), ElementsAre(1, 3.5F, 3.5F));
  EXPECT_THAT(evaluate(node_of("AveragePool", counting), {{row}})->as<float>(), ElementsAre(0.5F, 3.5F, 3.5F));
}

TEST(Pool, MaxPoolMovesCodes) {
  Type output = Type::tensor(DType::int8);
  output.quant = Quant::per_tensor(0.1F, 7);
  const auto y = evaluate(node_of("MaxPool", {{"kernel_shape", Ints{2}}}),
                          {{Tensor::of<std::int8_t>({1, 1, 3}, {-128, -5, 127}), output.quant}}, output);
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_THAT(y->as<std::int8_t>(), ElementsAre(-5, 127));
}

TEST(Pool, GlobalAverageOfCodesRequantizesTheSum) {
  Type output = Type::tensor(DType::uint8);
  output.quant = Quant::per_tensor(0.5F, 1);
  const auto y = evaluate(node_of("GlobalAveragePool", {}),
                          {{Tensor::of<std::uint8_t>({1, 1, 1, 4}, {10, 12, 14, 16}), Quant::per_tensor(0.25F, 10)}}, output);
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_THAT(y->as<std::uint8_t>(), ElementsAre(3)); // mean 3 * 0.25 = 0.75 is 1.5 steps: even is 2, and the zero point
}

TEST(Pool, NanWins) {
  const auto y = evaluate(node_of("GlobalMaxPool", {}), {{Tensor::of<float>({1, 1, 3}, {1, std::nanf(""), 9})}});
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_TRUE(std::isnan(y->as<float>()[0]));
}

} // namespace
} // namespace edgec
