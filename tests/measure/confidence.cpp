#include "measure/confidence.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

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

TEST(UpperLoss, IsSeldomBelowTheTruth) {
  // Matched answers of which the first network only has `lost` right, the second only `gained`: drawn anew each time.
  std::mt19937_64 random(1);
  for (const auto &[lost, gained] : {std::pair{.02, .02}, {.05, .01}, {.01, .05}, {.2, .1}}) {
    constexpr std::size_t count = 400;
    constexpr int draws = 4000;
    int below = 0;
    for (int i = 0; i < draws; ++i) {
      std::size_t l = 0, g = 0;
      for (std::size_t k = 0; k < count; ++k) {
        const double u = std::uniform_real_distribution<double>()(random);
        l += u < lost ? 1 : 0;
        g += u >= lost && u < lost + gained ? 1 : 0;
      }
      below += upper_loss(l, g, count) < lost - gained ? 1 : 0;
    }
    EXPECT_LT(below, 0.065 * draws) << lost << " " << gained; // 5 %, and the draws' own noise
    EXPECT_GT(below, 0.02 * draws) << lost << " " << gained;  // and no more careful than that
  }
}

TEST(UpperLoss, CountsWhatIsGainedAgainstWhatIsLost) {
  EXPECT_LT(upper_loss(5, 5, 100), upper_loss(5, 0, 100));
  EXPECT_GT(upper_loss(5, 5, 100), 0);
  EXPECT_LT(upper_loss(5, 5, 1000), upper_loss(5, 5, 100));
  EXPECT_EQ(upper_loss(0, 0, 0), 1);
  EXPECT_LE(upper_loss(100, 0, 100), 1);
}

} // namespace
} // namespace edgec
