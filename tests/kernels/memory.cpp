// One allocation after another fails while a fast kernel is made and run: the caller learns it, and the next kernel is
// right.
#include <gtest/gtest.h>

#include <vector>

#include "kernels/fast/conv.h"
#include "kernels/fast/matmul.h"
#include "tests/failing_memory.h"
#include "tests/kernels/problems.h"

namespace edgec {
namespace {

using namespace test;

/// What kernel gives of ones.
std::vector<std::byte> output_of(const Result<Kernel> &kernel, std::size_t inputs, std::size_t outputs) {
  std::vector<std::byte> y(outputs * sizeof(float));
  if (!kernel) return y;
  const std::vector<float> x(inputs, 1.0F);
  const auto *bytes = reinterpret_cast<const std::byte *>(x.data());
  run_kernel(*kernel, {bytes, bytes}, y.data());
  return y;
}

/// Shapes and followers vary with `round`: libraries keep what they built last.
std::vector<std::byte> convolve(std::int64_t round) {
  const std::int64_t channels = 1 + round % 40, wide = 8, side = 3 + round / 40 % 4;
  ConvShape s{.in_channels = channels, .out_channels = wide};
  for (Window *axis : {&s.axes[1], &s.axes[2]})
    *axis = {.in = side, .out = side, .kernel = 3, .pad_begin = 1, .pad_end = 1};
  const std::vector<float> w(static_cast<std::size_t>(wide * channels * s.taps()), 0.5F);
  const std::vector<fast::FloatPostOp> followers(static_cast<std::size_t>(round % 3),
                                                 {.kind = fast::FloatPostOp::Kind::add, .operand = 1});
  return output_of(fast::conv(s, w, {}, followers, {test_isa(), 1}),
                   static_cast<std::size_t>(wide * channels * side * side),
                   static_cast<std::size_t>(wide * side * side));
}

std::vector<std::byte> multiply(std::int64_t round) {
  const fast::Products products{.m = 3, .n = 16, .k = 1 + round, .a_index = {0}, .b_index = {0}};
  return output_of(fast::matmul(products, {test_isa(), 1}), static_cast<std::size_t>(products.n * products.k),
                   static_cast<std::size_t>(products.m * products.n));
}

TEST(Memory, AnAllocationThatFailsLeavesNextKernelsRight) {
  for (const auto make : {convolve, multiply}) {
    allocations = 0;
    make(0);
    const std::int64_t count = allocations;
    int failed = 0;
    constexpr std::int64_t rounds = 1500;
    for (std::int64_t round = 0; round < rounds; ++round) {
      failed += without_allocation(round % count, [&] { make(round); }) ? 0 : 1;
      ASSERT_EQ(make(round), make(round)) << round;
    }
    EXPECT_GT(failed, rounds / 2);
  }
}

} // namespace
} // namespace edgec
