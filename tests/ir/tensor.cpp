#include "ir/tensor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/float8.h"

namespace edgec {
namespace {

TEST(Tensor, FourBitCodesArePackedLowNibbleFirst) {
  const std::vector<std::int64_t> codes{-8, 7, 3};
  const Tensor tensor = from_int64s(DType::int4, {3}, codes);
  ASSERT_EQ(tensor.data.size(), 2U);
  EXPECT_EQ(tensor.data.bytes()[0], std::byte{0x78});
  EXPECT_EQ(to_int64s(tensor), codes);
}

TEST(Tensor, CountOfHugeDimsIsNothing) {
  EXPECT_FALSE(element_count(std::vector<std::int64_t>{1LL << 40, 1LL << 40}));
  EXPECT_FALSE(element_count(std::vector<std::int64_t>{-1}));
  EXPECT_EQ(element_count(std::vector<std::int64_t>{1LL << 40, 0, 1LL << 40}), 0);
}

TEST(Tensor, EveryFloat8CodeSurvivesARoundTrip) {
  for (const DType dtype : {DType::float8e4m3fn, DType::float8e4m3fnuz, DType::float8e5m2, DType::float8e5m2fnuz})
    for (int code = 0; code < 256; ++code) {
      const float value = float8_to_float(dtype, static_cast<std::uint8_t>(code));
      if (!std::isfinite(value)) continue;
      EXPECT_EQ(float_to_float8(dtype, value), code) << name(dtype);
    }
}

TEST(Tensor, HalfRoundsToNearestEven) {
  const std::vector<double> values{1.0, 65504.0, 2049.0};
  EXPECT_EQ(to_doubles(from_doubles(DType::float16, {3}, values)), (std::vector<double>{1.0, 65504.0, 2048.0}));
}

} // namespace
} // namespace edgec
