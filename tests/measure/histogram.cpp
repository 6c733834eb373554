#include "measure/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace edgec {
namespace {

using testing::ElementsAre;

TEST(Histogram, CountsFromTheLeastToTheLargest) {
  const std::vector<double> values{
      0, 1, 1.9, 2, 4, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()};
  const Histogram histogram = histogram_of(values, 4);
  EXPECT_EQ(histogram.low, 0);
  EXPECT_EQ(histogram.high, 4);
  EXPECT_THAT(histogram.counts, ElementsAre(1, 2, 1, 1));
}

TEST(Histogram, WhatLiesOutsideCountsAtTheEnds) {
  Histogram histogram = Histogram::between(-1, 1, 2);
  histogram.add(-1e300, 3);
  histogram.add(7);
  histogram.add(std::numeric_limits<double>::infinity());
  EXPECT_THAT(histogram.counts, ElementsAre(3, 2));
}

TEST(Histogram, HoldsOneNumber) {
  const std::vector<double> same(5, 0.25);
  const Histogram histogram = histogram_of(same, 3);
  EXPECT_LT(histogram.low, histogram.high);
  EXPECT_THAT(histogram.counts, ElementsAre(5, 0, 0));
  EXPECT_TRUE(histogram_of({}, 3).empty());
}

} // namespace
} // namespace edgec
