#include "batch/front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/random.h"

namespace edgec {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Front, HoldsWhatNoOtherBeats) {
  EXPECT_THAT(front_of({{3, 9}, {1, 5}, {2, 5}, {2, 7}, {1, 5}, {4, 9}}), ElementsAre(1, 3, 0));
  EXPECT_THAT(front_of({}), IsEmpty());
}

TEST(Hypervolume, CountsWhatTheFrontBeats) {
  EXPECT_DOUBLE_EQ(hypervolume({{1, 5}, {2, 7}}, {4, 1}), 3 * 4 + 2 * 2);
  EXPECT_DOUBLE_EQ(hypervolume({{5, 9}, {1, 0}}, {4, 1}), 0); // too large, too poor
}

TEST(Hypervolume, IsTheShareOfRandomPointsThatAreBeaten) {
  Random random(3);
  std::vector<FrontPoint> points(12);
  for (FrontPoint &point : points) point = {random.uniform(), random.uniform()};
  constexpr int tries = 200'000;
  int beaten = 0;
  for (int i = 0; i < tries; ++i) {
    const FrontPoint at{random.uniform(), random.uniform()};
    beaten += std::ranges::any_of(
        points, [&](const FrontPoint &point) { return point.cost <= at.cost && point.quality >= at.quality; });
  }
  EXPECT_NEAR(hypervolume(points, {1, 0}), static_cast<double>(beaten) / tries, 0.005);
}

} // namespace
} // namespace edgec
