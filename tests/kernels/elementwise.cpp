#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include "kernels/isa.h"
#include "support/random.h"

namespace edgec {
namespace {

std::vector<std::byte> random_bytes(Random &random, std::int64_t count) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(count));
  for (std::byte &byte : bytes) byte = static_cast<std::byte>(random.below(256));
  return bytes;
}

Codes random_codes(Random &random, DType dtype) {
  const CodeRange range = CodeRange::of(dtype);
  const auto zero_point = static_cast<std::int32_t>(random.below(256)) + range.low;
  const auto scale = random.below(2) ? std::ldexp(1.0F, -static_cast<int>(random.below(8)))
                                     : static_cast<float>(random.uniform(1e-4, 0.2));
  return {dtype, scale, zero_point};
}

using Loop = Run; // inside a test, Run is the fixture's

std::vector<Run> runs() {
  std::vector<Run> found;
  for (Isa isa = Isa::scalar; isa <= detect_isa(); isa = static_cast<Isa>(static_cast<int>(isa) + 1))
    for (const int threads : {1, 2}) found.push_back({isa, threads});
  return found;
}

/// compute(run, output) must give what the scalar run gives.
template <class T, class Compute>
void expect_same_everywhere(std::int64_t count, Compute &&compute) {
  std::vector<T> expected(static_cast<std::size_t>(count));
  compute(Run{}, expected.data());
  for (const Run run : runs()) {
    std::vector<T> found(static_cast<std::size_t>(count));
    compute(run, found.data());
    ASSERT_EQ(found, expected) << name(run.isa) << ", " << run.threads << " threads, " << count << " elements";
  }
}

TEST(Elementwise, EveryInstructionSetGivesTheScalarBits) {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    const DType dtype = round % 2 ? DType::uint8 : DType::int8;
    const std::int64_t count = round % 10 == 0 ? 40000 + static_cast<std::int64_t>(random.below(100))
                                               : static_cast<std::int64_t>(random.below(200));
    const Codes a = random_codes(random, dtype), b = random_codes(random, dtype), y = random_codes(random, dtype);
    const auto p = random_bytes(random, count), q = random_bytes(random, count + 1);
    for (const bool one : {false, true}) {
      expect_same_everywhere<std::byte>(count, [&](Loop run, std::byte *out) {
        add(QuantizedAdd(a, b, y), p.data(), q.data(), one, out, count, run);
      });
      expect_same_everywhere<std::byte>(count, [&](Loop run, std::byte *out) {
        mul(QuantizedMul(a, b, y), p.data(), q.data(), one, out, count, run);
      });
    }
    expect_same_everywhere<std::byte>(
        count, [&](Loop run, std::byte *out) { apply_table(requantize_table(a, y), p.data(), out, count, run); });
    const std::int64_t size = 1 + count / 7 % 90, rows = count / (size + 3);
    for (const bool copy : {false, true}) {
      expect_same_everywhere<std::byte>(count, [&](Loop run, std::byte *out) {
        if (copy)
          copy_rows(p.data(), out, rows, size, size + 3, run);
        else
          apply_table_rows(requantize_table(a, y), p.data(), out, rows, size, size + 3, run);
      });
    }
    expect_same_everywhere<float>(count, [&](Loop run, float *out) { dequantize(p.data(), a, out, count, run); });
    std::vector<float> reals(static_cast<std::size_t>(count));
    for (float &real : reals) real = static_cast<float>(random.normal()) * 100 * y.scale;
    if (count > 3) reals[1] = 1e30F, reals[2] = -std::numeric_limits<float>::infinity(), reals[3] = std::nanf("");
    expect_same_everywhere<std::byte>(count,
                                      [&](Loop run, std::byte *out) { quantize(reals.data(), y, out, count, run); });
    for (const std::int64_t channels : {1, 3, 5}) {
      const std::int64_t area = count / channels;
      expect_same_everywhere<std::byte>(area * channels, [&](Loop run, std::byte *out) {
        quantize_channels_last(reals.data(), y, out, 1, channels, area, run);
      });
    }
  }
}

TEST(Elementwise, QuantizeChannelsLastMovesChannelsInside) {
  const float x[] = {0, 1, 2, 10, 11, 12};
  std::byte y[6];
  quantize_channels_last(x, {DType::uint8, 1, 0}, y, 1, 2, 3, {});
  const std::byte expected[] = {std::byte{0}, std::byte{10}, std::byte{1}, std::byte{11}, std::byte{2}, std::byte{12}};
  EXPECT_EQ(std::vector(y, y + 6), std::vector(expected, expected + 6));
}

TEST(Elementwise, QuantizeSaturatesAndRoundsHalfToEven) {
  const float x[] = {0.5F, 1.5F, 2.5F, -1000, 1e30F, std::numeric_limits<float>::quiet_NaN()};
  std::int8_t y[6];
  quantize(x, {DType::int8, 1, 5}, reinterpret_cast<std::byte *>(y), 6, {});
  EXPECT_EQ(std::vector(y, y + 6), (std::vector<std::int8_t>{5, 7, 7, -128, 127, -128}));
}

TEST(Elementwise, AddUsesFusedMultiplications) {
  // 0.1 * 3 + 0.2 * 3 - 0.4 in units of 0.1 rounds to 5.
  const Codes a{DType::uint8, 0.1F, 0}, b{DType::uint8, 0.2F, 2}, y{DType::uint8, 0.1F, 0};
  const std::byte p{3}, q{3};
  std::byte out;
  add(QuantizedAdd(a, b, y), &p, &q, false, &out, 1, {});
  EXPECT_EQ(out, std::byte{5});
}

TEST(Elementwise, RequantizingToTheSameScaleIsTheIdentity) {
  const Codes codes{DType::int8, 0.37F, -3};
  EXPECT_TRUE(is_identity(requantize_table(codes, codes)));
  EXPECT_FALSE(is_identity(requantize_table(codes, {DType::int8, 0.38F, -3})));
}

} // namespace
} // namespace edgec
