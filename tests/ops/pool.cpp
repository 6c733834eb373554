#include <algorithm>
#include <cmath>
#include <limits>

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
  const Node node =
      node_of("MaxPool", {{"kernel_shape", Ints{2}}, {"strides", Ints{2}}, {"ceil_mode", std::int64_t{1}}});
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
  const auto y =
      evaluate(node_of("GlobalAveragePool", {}),
               {{Tensor::of<std::uint8_t>({1, 1, 1, 4}, {10, 12, 14, 16}), Quant::per_tensor(0.25F, 10)}}, output);
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_THAT(y->as<std::uint8_t>(),
              ElementsAre(3)); // mean 3 * 0.25 = 0.75 is 1.5 steps: even is 2, and the zero point
}

TEST(Pool, NanWins) {
  const auto y = evaluate(node_of("GlobalMaxPool", {}), {{Tensor::of<float>({1, 1, 3}, {1, std::nanf(""), 9})}});
  ASSERT_TRUE(y) << y.error().message;
  EXPECT_TRUE(std::isnan(y->as<float>()[0]));
}

/// The window of output `o` reads [o * stride - begin, ...); elements of it that are there.
std::vector<float> taken(std::int64_t o, std::int64_t in, std::int64_t kernel, std::int64_t stride,
                         std::int64_t dilation, std::int64_t begin) {
  std::vector<float> found;
  for (std::int64_t k = 0; k < kernel; ++k)
    if (const std::int64_t i = o * stride - begin + k * dilation; i >= 0 && i < in)
      found.push_back(static_cast<float>(i % 3 + 1));
  return found;
}

/// (in + pads - reach - 1) / stride + 1 windows, cut towards zero: one too wide by less than a stride pools what is
/// there, by a stride nothing, by more is refused.
TEST(Pool, WindowsWiderThanTheInput) {
  int instances = 0, partial = 0, empty = 0, refused = 0;
  for (std::int64_t in = 1; in <= 4; ++in)
    for (std::int64_t kernel = 1; kernel <= 6; ++kernel)
      for (std::int64_t stride = 1; stride <= 4; ++stride)
        for (std::int64_t dilation = 1; dilation <= 2; ++dilation)
          for (const auto &[begin, end] : {std::pair(0, 0), std::pair(1, 0), std::pair(0, 1), std::pair(1, 1)})
            for (const char *op : {"MaxPool", "AveragePool", "LpPool"}) {
              const std::int64_t room = in + begin + end - (kernel - 1) * dilation - 1, count = room / stride + 1;
              if (begin >= kernel || end >= kernel || (dilation > 1 && op[0] == 'A')) continue;
              std::vector<float> x;
              for (std::int64_t i = 0; i < in; ++i) x.push_back(static_cast<float>(i % 3 + 1));
              const Node node = node_of(op, {{"kernel_shape", Ints{kernel}},
                                             {"strides", Ints{stride}},
                                             {"dilations", Ints{dilation}},
                                             {"pads", Ints{begin, end}},
                                             {"p", std::int64_t{1}}});
              const auto y = evaluate(node, {{Tensor::of<float>({1, 1, in}, x)}});
              ++instances;
              partial += room < 0 && count > 0, empty += count == 0, refused += count < 0;
              ASSERT_EQ(static_cast<bool>(y), count >= 0) << op << ' ' << in << ' ' << kernel << ' ' << stride;
              if (!y) {
                EXPECT_THAT(y.error().message, testing::HasSubstr("does not fit"));
                continue;
              }
              ASSERT_EQ(y->dims, (Dims{1, 1, count})) << op << ' ' << in << ' ' << kernel << ' ' << stride;
              for (std::int64_t o = 0; o < count; ++o) {
                const auto taps = taken(o, in, kernel, stride, dilation, begin);
                float largest = -std::numeric_limits<float>::infinity(), sum = 0;
                for (const float tap : taps) largest = std::max(largest, tap), sum += tap;
                const float mean = taps.empty() ? 0 : sum / static_cast<float>(taps.size());
                EXPECT_FLOAT_EQ(y->as<float>()[o], op[0] == 'M'   ? largest
                                                   : op[0] == 'A' ? mean
                                                                  : sum)
                    << op << in << kernel << stride;
              }
            }
  EXPECT_GT(instances, 1000);
  EXPECT_GT(partial, 100);
  EXPECT_GT(empty, 100);
  EXPECT_GT(refused, 100);
}

TEST(Pool, ConvolutionsNeedTheirWholeWindow) {
  for (std::int64_t stride = 1; stride <= 4; ++stride)
    for (std::int64_t kernel = 2; kernel <= 5; ++kernel) {
      const Node node = node_of("Conv", {{"strides", Ints{stride}}});
      const auto y = evaluate(node, {{Tensor::of<float>({1, 1, 1}, {1})},
                                     {Tensor::of<float>({1, 1, kernel}, std::vector<float>(kernel, 1))}});
      ASSERT_FALSE(y);
      EXPECT_THAT(y.error().message, testing::HasSubstr("does not fit"));
    }
}

} // namespace
} // namespace edgec
