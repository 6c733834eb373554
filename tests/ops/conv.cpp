#include <algorithm>

#include <gmock/gmock.h>

#include "tests/ops/evaluate.h"

namespace edgec {
namespace {

using test::evaluate;
using test::node_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Ints = std::vector<std::int64_t>;

Tensor ramp(Dims dims) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return Tensor::of(std::move(dims), std::move(values));
}

Tensor ones(Dims dims) {
  const auto count = static_cast<std::size_t>(*element_count(dims));
  return Tensor::of(std::move(dims), std::vector<float>(count, 1));
}

TEST(Conv, PadsWithZerosAndStrides) {
  const Node node = node_of("Conv", {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}});
  const auto y = evaluate(node, {{ramp({1, 1, 3, 3})}, {ones({1, 1, 3, 3})}});
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_EQ(y->dims, (Dims{1, 1, 2, 2}));
  EXPECT_THAT(y->as<float>(), ElementsAre(8, 12, 20, 24));
}

TEST(Conv, AutoPadUpperPutsTheOddElementAtTheEnd) {
  const Node upper = node_of("Conv", {{"auto_pad", std::string("SAME_UPPER")}});
  const Node lower = node_of("Conv", {{"auto_pad", std::string("SAME_LOWER")}});
  EXPECT_THAT(evaluate(upper, {{ramp({1, 1, 3})}, {ones({1, 1, 2})}})->as<float>(), ElementsAre(1, 3, 2));
  EXPECT_THAT(evaluate(lower, {{ramp({1, 1, 3})}, {ones({1, 1, 2})}})->as<float>(), ElementsAre(0, 1, 3));
}

TEST(Conv, QuantizedOperandsRequantizeHalfToEven) {
  const auto x = Tensor::of<std::uint8_t>({1, 1, 3}, {11, 13, 15}); // 1, 3, 5 times 0.5
  const auto w = Tensor::of<std::int8_t>({2, 1, 1}, {1, 1});
  const auto bias = Tensor::of<std::int32_t>({2}, {0, 100});
  Type output = Type::tensor(DType::uint8);
  output.quant = Quant::per_tensor(1, 3);
  const auto y =
      evaluate(node_of("Conv", {}), {{x, Quant::per_tensor(0.5F, 10)}, {w, Quant{{1, 4}, {0, 0}, 0}}, {bias}}, output);
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_THAT(y->as<std::uint8_t>(), ElementsAre(3, 5, 5, 205, 209, 213)); // 0.5, 1.5, 2.5 round to 0, 2, 2
}

TEST(Conv, QuantizedOperandsWithFloatOutputScaleTheSum) {
  const auto x = Tensor::of<std::int8_t>({1, 1, 2}, {-3, 5});
  const auto w = Tensor::of<std::uint8_t>({1, 1, 1}, {130});
  const auto y = evaluate(node_of("Conv", {}), {{x, Quant::per_tensor(0.5F, 1)}, {w, Quant::per_tensor(2, 128)}});
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_THAT(y->as<float>(), ElementsAre(-8, 8));
}

TEST(Conv, RefusesWhatDoesNotFit) {
  const auto message = [](const Result<Tensor> &result) {
    return result ? std::string("accepted") : result.error().message;
  };
  EXPECT_THAT(
      message(evaluate(node_of("Conv", {{"group", std::int64_t{2}}}), {{ramp({1, 3, 4, 4})}, {ones({2, 1, 3, 3})}})),
      HasSubstr("groups"));
  EXPECT_THAT(
      message(evaluate(node_of("Conv", {{"strides", Ints{0, 1}}}), {{ramp({1, 1, 4, 4})}, {ones({1, 1, 3, 3})}})),
      HasSubstr("out of range"));
  EXPECT_THAT(message(evaluate(node_of("Conv", {}), {{ramp({1, 1, 2, 2})}, {ones({1, 1, 3, 3})}})),
              HasSubstr("does not fit"));
}

TEST(Conv, InferenceKeepsUnknownDims) {
  const Type x{.dtype = DType::float32, .shape = Shape{Dim::named("N"), Dim::known(3), Dim::unknown(), Dim::known(9)}};
  const Type w = Type::tensor(DType::float32, Dims{8, 3, 3, 3});
  const Node node = node_of("Conv", {});
  const Type *const inputs[] = {&x, &w};
  const auto types = all_ops().find(node)->infer({node, 17, inputs, {}});
  ASSERT_TRUE(types) << types.error().message;
  EXPECT_EQ(types->front().shape, (Shape{Dim::named("N"), Dim::known(8), Dim::unknown(), Dim::known(7)}));
}

TEST(ConvTranspose, ScattersTheKernel) {
  const Node node = node_of("ConvTranspose", {{"strides", Ints{2}}, {"output_padding", Ints{1}}});
  const auto y = evaluate(node, {{Tensor::of<float>({1, 1, 2}, {1, 10})}, {Tensor::of<float>({1, 1, 3}, {1, 2, 3})}});
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_THAT(y->as<float>(), ElementsAre(1, 2, 13, 20, 30, 0));
}

/// auto_pad cuts the whole result to in * stride elements; a result that is smaller stays as it is.
TEST(ConvTranspose, SamePaddingCutsAndAddsNothing) {
  int instances = 0, smaller = 0;
  for (const std::string pad : {"SAME_UPPER", "SAME_LOWER"})
    for (std::int64_t in = 1; in <= 4; ++in)
      for (std::int64_t kernel = 1; kernel <= 5; ++kernel)
        for (std::int64_t stride = 1; stride <= 4; ++stride)
          for (std::int64_t dilation = 1; dilation <= 2; ++dilation) {
            const std::int64_t full = (in - 1) * stride + (kernel - 1) * dilation + 1,
                               cut = std::max<std::int64_t>(full - in * stride, 0);
            std::vector<float> whole(static_cast<std::size_t>(full), 0);
            for (std::int64_t i = 0; i < in; ++i)
              for (std::int64_t k = 0; k < kernel; ++k)
                whole[i * stride + k * dilation] += static_cast<float>(i * (k + 1));
            const auto begin = whole.begin() + (pad == "SAME_UPPER" ? cut / 2 : cut - cut / 2);
            std::vector<float> weight;
            for (std::int64_t k = 0; k < kernel; ++k) weight.push_back(static_cast<float>(k + 1));
            const Node node =
                node_of("ConvTranspose", {{"strides", Ints{stride}}, {"dilations", Ints{dilation}}, {"auto_pad", pad}});
            const auto y = evaluate(node, {{ramp({1, 1, in})}, {Tensor::of({1, 1, kernel}, weight)}});
            ASSERT_TRUE(y) << y.error().message;
            EXPECT_THAT(y->as<float>(), testing::ElementsAreArray(begin, begin + full - cut))
                << pad << in << kernel << stride;
            ++instances, smaller += full < in * stride;
          }
  EXPECT_EQ(instances, 320);
  EXPECT_GT(smaller, 50);
}

} // namespace
} // namespace edgec
