// Products that saturate in 16 bits, as AVX2 makes them, beside exact ones.
#include "kernels/reference/saturating.h"

#include <cstring>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "kernels/reference/conv.h"
#include "tests/kernels/problems.h"

namespace edgec {
namespace {

struct Problem {
  ConvShape shape;
  IntegerConv conv;
  std::vector<std::uint8_t> x;
  [[nodiscard]] std::size_t outputs() const {
    return static_cast<std::size_t>(shape.batch * shape.out_channels * shape.out_area());
  }
  /// What `run` writes, as it is: float32.
  template <class Run>
  std::vector<float> results(Run &&run) const {
    std::vector<float> y(outputs());
    run(reinterpret_cast<const std::byte *>(x.data()), reinterpret_cast<std::byte *>(y.data()));
    return y;
  }
  [[nodiscard]] std::vector<float> exact() const {
    return results([&](const std::byte *from, std::byte *to) { reference::conv(shape, conv, from, to); });
  }
  [[nodiscard]] std::vector<float> saturated() const {
    const reference::SaturatingConv saturating(shape, conv);
    std::vector<std::int32_t> scratch(saturating.scratch_bytes() / sizeof(std::int32_t) + 1);
    return results([&](const std::byte *from, std::byte *to) {
      saturating.run(from, to, reinterpret_cast<std::byte *>(scratch.data()));
    });
  }
};

Problem problem(const ConvShape &shape, Random &random, int largest) {
  Problem p{shape, {}, {}};
  p.conv.input_zero_point = static_cast<std::int32_t>(random.below(256));
  p.conv.output.dtype = DType::float32;
  for (std::int64_t i = 0; i < shape.out_channels * shape.group_in() * shape.taps(); ++i)
    p.conv.weights.push_back(static_cast<std::int16_t>(static_cast<int>(random.below(2 * largest + 1)) - largest));
  for (std::int64_t i = 0; i < shape.out_channels; ++i) {
    p.conv.output.scales.push_back(1);
    p.conv.output.bias.push_back(static_cast<std::int32_t>(random.below(1000)));
  }
  for (std::int64_t i = 0; i < shape.batch * shape.in_channels * shape.in_area(); ++i)
    p.x.push_back(static_cast<std::uint8_t>(random.below(256)));
  return p;
}

TEST(SaturatingConv, IsExactWithWeightsOfSevenBits) {
  Random random(1);
  for (int i = 0; i < 60; ++i) {
    const Problem p = problem(test::random_conv(random), random, 64); // 2 * 255 * 64 < 2^15
    EXPECT_EQ(p.saturated(), p.exact()) << test::describe(p.shape);
  }
}

TEST(SaturatingConv, CutsTheSumOfTwoProducts) {
  ConvShape shape{.in_channels = 5, .out_channels = 1};
  Problem p{shape, {}, {255, 255, 255, 255, 255}};
  p.conv.output = {DType::float32, 0, {1}, {}};
  p.conv.weights = {127, 127, -127, -127, 127};
  EXPECT_EQ(p.exact(), std::vector<float>{255 * 127});
  EXPECT_EQ(p.saturated(), std::vector<float>{32767 - 32768 + 255 * 127}); // the last has no neighbour
  p.conv.weights = {127, -127, 127, 1, 0};
  EXPECT_EQ(p.saturated(), p.exact()); // neighbours that make up for each other
}

#ifdef __x86_64__
/// What the instruction itself says, of a matrix product.
__attribute__((target("avx2"))) std::int32_t with_vpmaddubsw(const std::uint8_t *a, const std::int8_t *b,
                                                             std::size_t count) {
  std::int32_t total = 0;
  for (std::size_t i = 0; i < count; i += 32) {
    const __m256i products = _mm256_maddubs_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(a + i)),
                                                  _mm256_loadu_si256(reinterpret_cast<const __m256i *>(b + i)));
    alignas(32) std::int32_t sums[8];
    _mm256_store_si256(reinterpret_cast<__m256i *>(sums), _mm256_madd_epi16(products, _mm256_set1_epi16(1)));
    for (const std::int32_t sum : sums) total += sum;
  }
  return total;
}

TEST(SaturatingConv, IsWhatTheInstructionComputes) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this processor has no AVX2";
  Random random(2);
  for (int i = 0; i < 40; ++i) {
    const ConvShape shape{.in_channels = 32 * test::pick(random, 1, 8), .out_channels = 3};
    Problem p = problem(shape, random, 127);
    p.conv.input_zero_point = 0;
    p.conv.output.bias.clear();
    const auto terms = static_cast<std::size_t>(shape.in_channels);
    const auto y = p.saturated();
    for (std::size_t c = 0; c < 3; ++c) {
      const std::vector<std::int8_t> row(p.conv.weights.begin() + static_cast<std::ptrdiff_t>(c * terms),
                                         p.conv.weights.begin() + static_cast<std::ptrdiff_t>((c + 1) * terms));
      EXPECT_EQ(y[c], static_cast<float>(with_vpmaddubsw(p.x.data(), row.data(), terms)));
    }
  }
}
#endif

} // namespace
} // namespace edgec
