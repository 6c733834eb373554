// The search of a rate for a size, on sizes that follow a formula.
#include "schemes/rate/rate_bracket.h"

#include <gtest/gtest.h>

#include <cmath>

namespace edgec {
namespace {

/// Tries until a size is at most `limit` and at least 0.4 % below it, or the bracket closes.
template <class Size>
int tries(double limit, double rate, Size &&size) {
  RateBracket bracket(limit, limit * 0.998, -60000);
  for (int i = 1; i < 50; ++i) {
    const double bytes = size(rate);
    bracket.add(rate, bytes);
    if ((bytes <= limit && bytes >= limit * 0.996) || bracket.closed()) return i;
    rate = bracket.next();
  }
  return 50;
}

TEST(RateBracket, FindsASizeOnACurveInFewSteps) {
  const auto curve = [](double rate) { return 20000 + 9000 * std::pow(std::max(0.0, 12 - std::log2(rate)), 1.3); };
  for (const double limit : {40000.0, 90000.0, 200000.0, 400000.0}) EXPECT_LE(tries(limit, 1, curve), 6) << limit;
}

TEST(RateBracket, ClosesWhereSizesJump) {
  const auto stairs = [](double rate) { return 100000 - 7000 * std::floor(std::log2(rate)) - std::log2(rate); };
  EXPECT_LE(tries(96000, 0.01, stairs), 12);
  for (const double start : {0.001, 0.1, 20.0, 1000.0}) // two sizes and nothing between
    EXPECT_LE(tries(1000, start, [](double rate) { return rate < 1.7 ? 1500 : 700; }), 7) << start;
}

TEST(RateBracket, ClosesWhereTheFinestCodesTakeLess) {
  for (const double top : {400.0, 800.0, 990.0})
    EXPECT_LE(tries(1000, 64, [&](double rate) { return std::min(top, 2000 - 300 * std::log2(rate)); }), 6) << top;
  for (const double top : {100.0, 990.0}) EXPECT_EQ(tries(1000, 1, [&](double) { return top; }), 3) << top;
}

TEST(RateBracket, MovesOnWhereSizesDoNot) {
  RateBracket bracket(1000, 998, -500);
  bracket.add(1, 1200);
  bracket.add(2, 1200);
  EXPECT_GT(bracket.next(), 2);
}

TEST(RateBracket, ComesBackFromRatesThatLeaveHardlyAWeight) {
  const auto size = [](double rate) { // far out it rises with the rate, a little
    const double log = std::log2(rate);
    return log > 0 ? 100 + 10 * log : 100 - 300 * log;
  };
  RateBracket bracket(2000, 1996, -300);
  double rate = 1024;
  for (int i = 0; i < 8 && size(rate) < 1992; ++i) bracket.add(rate, size(rate)), rate = bracket.next();
  EXPECT_GE(size(rate), 1992);
  EXPECT_LE(size(rate), 2000);
}

} // namespace
} // namespace edgec
