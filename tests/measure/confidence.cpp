#include "measure/confidence.h"

#include <cmath>
#include <gtest/gtest.h>

namespace edgec {
namespace {

TEST(UpperShare, IsExactWhereItHasAFormula) {
  // Nothing seen: (1 - p)^n = 0.05; all but one seen: 1 - p^n = 0.05.
  for (const std::size_t n : {1, 2, 10, 59, 200, 5000}) {
    EXPECT_NEAR(upper_share(0, n), 1 - std::pow(0.05, 1.0 / static_cast<double>(n)), 1e-12) << n;
    EXPECT_NEAR(upper_share(n - 1, n), std::pow(0.95, 1.0 / static_cast<double>(n)), 1e-9) << n;
    EXPECT_EQ(upper_share(n, n), 1) << n;
  }
}

TEST(UpperShare, GrowsWithWhatDiffersAndShrinksWithTheSamples) {
  for (std::size_t k = 0; k < 50; ++k) {
    EXPECT_LT(upper_share(k, 100), upper_share(k + 1, 100));
    EXPECT_LT(upper_share(k, 200), upper_share(k, 100));
    EXPECT_GT(upper_share(k, 100), static_cast<double>(k) / 100);
  }
}

} // namespace
} // namespace edgec
