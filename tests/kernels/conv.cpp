#include "kernels/fast/conv.h"

#include <algorithm>
#include <cmath>

#include "kernels/fast/conv_onednn.h"
#include "kernels/fast/conv_tiles.h"
#include "kernels/reference/conv.h"
#include "tests/kernels/problems.h"

namespace edgec {
namespace {

using namespace test;

std::vector<float> random_floats(Random &random, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float &value : values) value = static_cast<float>(random.normal());
  return values;
}

std::vector<std::byte> random_bytes(Random &random, std::int64_t count, bool extreme) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(count));
  for (std::byte &byte : bytes) {
    const auto any = static_cast<std::uint8_t>(random.below(256));
    byte = static_cast<std::byte>(!extreme ? any : any & 1 ? 0x7f : any & 2 ? 0x80 : any & 4 ? 0xff : 0);
  }
  return bytes;
}

float after(const fast::FloatPostOp &op, float value, float other) {
  using Kind = fast::FloatPostOp::Kind;
  switch (op.kind) {
  case Kind::relu: return std::max(value, 0.0F);
  case Kind::leaky_relu: return value < 0 ? value * op.alpha : value;
  case Kind::clip: return std::clamp(value, op.alpha, op.beta);
  case Kind::sigmoid: return 1 / (1 + std::exp(-value));
  case Kind::hard_swish: return value * std::clamp(value / 6 + 0.5F, 0.0F, 1.0F);
  case Kind::add: return value + other;
  }
  return value;
}

TEST(FloatConv, FastIsCloseToReference) {
  Random random(7);
  int fast_ones = 0;
  for (int round = 0; round < 1200; ++round) {
    ConvShape s = random_conv(random);
    if (s.rank == 2 && random.below(2)) s.groups = s.in_channels = s.out_channels = pick(random, 2, 70);
    const auto x = random_floats(random, s.batch * s.in_channels * s.in_area());
    const auto w = random_floats(random, s.out_channels * s.group_in() * s.taps());
    const auto bias = random.below(2) ? random_floats(random, s.out_channels) : std::vector<float>{};
    const auto other = random_floats(random, s.batch * s.out_channels * s.out_area());
    std::vector<fast::FloatPostOp> post_ops;
    using Kind = fast::FloatPostOp::Kind;
    for (auto left = random.below(5); left > 0; --left)
      post_ops.push_back({.kind = static_cast<Kind>(random.below(6)),
                          .alpha = random.below(2) ? 0.1F : 1.5F,
                          .beta = 2,
                          .operand = 1});
    const auto kernel = fast::conv(s, w, bias, post_ops, {test_isa(), static_cast<int>(pick(random, 1, 2))});
    if (!kernel) continue;
    ++fast_ones;
    std::vector<float> expected(other.size()), y(other.size());
    reference::conv(s, x, w, bias, expected);
    for (std::size_t i = 0; i < expected.size(); ++i)
      for (const auto &op : post_ops) expected[i] = after(op, expected[i], other[i]);
    const auto x_last = to_channels_last(x, s.batch, s.in_channels, s.in_area()),
               other_last = to_channels_last(other, s.batch, s.out_channels, s.out_area());
    run_kernel(
        *kernel,
        {reinterpret_cast<const std::byte *>(x_last.data()), reinterpret_cast<const std::byte *>(other_last.data())},
        reinterpret_cast<std::byte *>(y.data()));
    y = to_plain(y, s.batch, s.out_channels, s.out_area());
    for (std::size_t i = 0; i < y.size(); ++i)
      ASSERT_NEAR(y[i], expected[i],
                  1e-4 * (1 + std::abs(expected[i])) * std::sqrt(static_cast<double>(s.group_in() * s.taps())))
          << describe(s) << " " << kernel->description;
  }
  if (test_isa() != Isa::scalar) {
    EXPECT_GT(fast_ones, 600);
  }
}

ConvShape random_conv_transpose(Random &random) {
  ConvShape s = random_conv(random);
  std::swap(s.in_channels, s.out_channels);
  for (int i = 3 - s.rank; i < 3; ++i) { // the output follows from the input
    Window &axis = s.axes[static_cast<std::size_t>(i)];
    axis.out = axis.stride * (axis.in - 1) + axis.reach() + 1 - axis.pad_begin - axis.pad_end +
               pick(random, 0, axis.stride - 1);
    if (axis.out <= 0) axis = {.in = axis.in, .out = axis.in};
  }
  return s;
}

TEST(FloatConvTranspose, FastIsCloseToReference) {
  Random random(8);
  int fast_ones = 0;
  for (int round = 0; round < 80; ++round) {
    const ConvShape s = random_conv_transpose(random);
    const auto x = random_floats(random, s.batch * s.in_channels * s.in_area());
    const auto w = random_floats(random, s.in_channels * s.group_out() * s.taps());
    const auto bias = random.below(2) ? random_floats(random, s.out_channels) : std::vector<float>{};
    const auto kernel = fast::conv_transpose(s, w, bias, {}, {test_isa(), 1});
    if (!kernel) continue;
    ++fast_ones;
    std::vector<float> expected(static_cast<std::size_t>(s.batch * s.out_channels * s.out_area())), y(expected.size());
    reference::conv_transpose(s, x, w, bias, expected);
    const auto x_last = to_channels_last(x, s.batch, s.in_channels, s.in_area());
    run_kernel(*kernel, {reinterpret_cast<const std::byte *>(x_last.data())}, reinterpret_cast<std::byte *>(y.data()));
    y = to_plain(y, s.batch, s.out_channels, s.out_area());
    for (std::size_t i = 0; i < y.size(); ++i)
      ASSERT_NEAR(y[i], expected[i], 1e-3) << describe(s) << " " << kernel->description;
  }
  if (test_isa() != Isa::scalar) {
    EXPECT_GT(fast_ones, 30);
  }
}

IntegerConv random_integers(Random &random, const ConvShape &s) {
  IntegerConv conv;
  conv.input = random.below(3) ? DType::uint8 : DType::int8;
  const std::int32_t low = conv.input == DType::uint8 ? 0 : -128;
  conv.input_zero_point = random.below(3) == 0 ? low : low + static_cast<std::int32_t>(random.below(256));
  const bool wide = random.below(8) == 0, extreme = random.below(4) == 0; // wide: u8 weights with an uneven zero point
  conv.weights.resize(static_cast<std::size_t>(s.out_channels * s.group_in() * s.taps())); // as many transposed
  for (std::int16_t &w : conv.weights) {
    const auto code = static_cast<int>(random.below(256));
    w = static_cast<std::int16_t>(wide ? code - 77 : extreme ? (code & 1 ? 127 : code & 2 ? -128 : 0) : code - 128);
  }
  conv.output.dtype = random.below(5) == 0 ? DType::float32 : random.below(2) ? DType::uint8 : DType::int8;
  conv.output.zero_point = conv.output.dtype == DType::float32 ? 0
                                                               : static_cast<std::int32_t>(random.below(256)) -
                                                                     (conv.output.dtype == DType::int8 ? 128 : 0);
  const double spread = std::sqrt(static_cast<double>(s.group_in() * s.taps())) * 70 * 128 / 40;
  const bool power = random.below(3) == 0;
  for (std::int64_t c = 0; c < s.out_channels; ++c) {
    const auto scale = static_cast<float>(random.uniform(0.3, 3) / spread);
    conv.output.scales.push_back(power ? std::exp2(std::round(std::log2(scale))) : scale);
    if (random.below(50) == 0) conv.output.scales.back() *= 1e6F;
  }
  const std::size_t row = conv.weights.size() / conv.output.scales.size();
  if (random.below(3) == 0) { // a dead channel with a bias beyond what float holds
    std::fill_n(conv.weights.begin(), row, std::int16_t{0});
    conv.output.bias.assign(conv.output.scales.size(), 12);
    conv.output.bias[0] = static_cast<std::int32_t>(random.bits());
    conv.output.scales[0] = static_cast<float>(random.uniform(0.0, 200.0 / 2147483648.0));
  } else if (random.below(3))
    for (std::int64_t c = 0; c < s.out_channels; ++c)
      conv.output.bias.push_back(static_cast<std::int32_t>(random.normal() * 70 * 128) *
                                 (random.below(200) == 0 ? 100000 : 1));
  return conv;
}

void integer_reference(const ConvShape &s, const IntegerConv &conv, const std::byte *x, std::byte *y) {
  reference::conv(s, conv, x, y);
}
void integer_reference_transpose(const ConvShape &s, const IntegerConv &conv, const std::byte *x, std::byte *y) {
  reference::conv_transpose(s, conv, x, y);
}

void expect_equal_bits(Random &random, const ConvShape &s, const IntegerConv &conv, const Result<Kernel> &kernel,
                       bool transposed = false) {
  ASSERT_TRUE(kernel) << kernel.error().message << " " << describe(s);
  const std::size_t width = conv.output.dtype == DType::float32 ? 4 : 1;
  const auto x = random_bytes(random, s.batch * s.in_channels * s.in_area(), random.below(4) == 0);
  const auto count = static_cast<std::size_t>(s.batch * s.out_channels * s.out_area());
  std::vector<std::byte> expected(count * width), y(count * width);
  (transposed ? integer_reference_transpose : integer_reference)(s, conv, x.data(), expected.data());
  const auto x_last = to_channels_last(x, s.batch, s.in_channels, s.in_area());
  run_kernel(*kernel, {x_last.data()}, y.data());
  if (width == 1) {
    y = to_plain(y, s.batch, s.out_channels, s.out_area());
  } else {
    std::vector<std::uint32_t> words(count);
    std::memcpy(words.data(), y.data(), y.size());
    words = to_plain(words, s.batch, s.out_channels, s.out_area());
    std::memcpy(y.data(), words.data(), y.size());
  }
  ASSERT_EQ(y, expected) << describe(s) << " " << kernel->description;
}

TEST(IntegerConv, EveryFastFormIsReferenceToTheBit) {
  Random random(9);
  for (int round = 0; round < 120; ++round) {
    const ConvShape s = random_conv(random);
    const IntegerConv conv = random_integers(random, s);
    for (Isa isa = Isa::avx2; isa <= test_isa(); isa = static_cast<Isa>(static_cast<int>(isa) + 1)) {
      const edgec::Run how{isa, static_cast<int>(pick(random, 1, 3))};
      expect_equal_bits(random, s, conv, fast::conv(s, conv, how));
      expect_equal_bits(random, s, conv, fast::conv_tiles(s, conv, how));
      if (s.depthwise()) expect_equal_bits(random, s, conv, fast::conv_depthwise(s, conv, how));
      if (HasFatalFailure()) FAIL() << name(isa);
    }
  }
}

/// Padding holds the zero point: oneDNN's AMX kernels have been wrong beside dilated kernels and in volumes.
TEST(IntegerConv, PaddingHoldsTheZeroPointBesideDilatedKernelsAndInVolumes) {
  if (test_isa() == Isa::scalar) GTEST_SKIP() << "the reference is used";
  Random random(77);
  int padded = 0;
  while (padded < 150) {
    const ConvShape s = random_conv(random);
    const bool wide = s.rank == 3 || std::ranges::any_of(s.axes, [](const Window &w) { return w.dilation > 1; });
    if (!wide || std::ranges::none_of(s.axes, [](const Window &w) { return w.pad_begin + w.pad_end > 0; })) continue;
    ++padded;
    IntegerConv conv = random_integers(random, s);
    conv.input_zero_point = conv.input == DType::uint8 ? 102 : -52;
    expect_equal_bits(random, s, conv, fast::conv(s, conv, {test_isa(), 1}));
    if (HasFatalFailure()) FAIL() << name(test_isa());
  }
}

TEST(IntegerConvTranspose, FastIsReferenceToTheBit) {
  Random random(10);
  for (int round = 0; round < 60; ++round) {
    const ConvShape s = random_conv_transpose(random);
    const IntegerConv conv = random_integers(random, s);
    for (Isa isa = Isa::avx2; isa <= test_isa(); isa = static_cast<Isa>(static_cast<int>(isa) + 1))
      expect_equal_bits(random, s, conv, fast::conv_transpose(s, conv, {isa, 2}), true);
    if (HasFatalFailure()) return;
  }
}

TEST(IntegerConv, WithoutVectorInstructionsTheReferenceIsUsed) {
  const IntegerConv conv{.weights = {1}, .output = {.scales = {1}}};
  EXPECT_FALSE(fast::conv(ConvShape{}, conv, {Isa::scalar, 1}));
}

} // namespace
} // namespace edgec
