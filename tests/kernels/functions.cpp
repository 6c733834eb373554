#include "kernels/functions.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace edgec {
namespace {

/// The distance from a rounded result to the exact one, in units of the last place of a float.
double ulps(float found, double exact) {
  const float near = std::abs(static_cast<float>(exact));
  const float next = std::nextafter(near, std::numeric_limits<float>::infinity());
  return std::abs(static_cast<double>(found) - exact) / (static_cast<double>(next) - static_cast<double>(near));
}

TEST(Functions, ErfIsWithinTwoUnitsInTheLastPlace) {
  double worst = 0;
  constexpr std::uint32_t step = 1001; // of all floats, each sign
  for (std::uint32_t bits = 0; bits < 0x7f800000U; bits += step) {
    const auto x = std::bit_cast<float>(bits);
    if (x < std::numeric_limits<float>::min()) continue;
    const float found = fast::erf(x);
    ASSERT_EQ(fast::erf(-x), -found) << x;
    const double distance = ulps(found, std::erf(static_cast<double>(x)));
    ASSERT_LE(distance, 2) << x;
    worst = std::max(worst, distance);
  }
  EXPECT_GT(worst, 0.5); // it is not libm's
}

TEST(Functions, ErfOfWhatIsNoNumber) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(fast::erf(0.0F), 0.0F);
  EXPECT_EQ(fast::erf(infinity), 1.0F);
  EXPECT_EQ(fast::erf(-infinity), -1.0F);
  EXPECT_TRUE(std::isnan(fast::erf(std::numeric_limits<float>::quiet_NaN())));
}

} // namespace
} // namespace edgec
