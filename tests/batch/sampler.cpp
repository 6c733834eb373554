#include "batch/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "batch/gaussian_process.h"

namespace edgec {
namespace {

TEST(GaussianProcess, GoesThroughWhatIsKnownAndIsUnsureElsewhere) {
  std::vector<double> at{0, 0.2, 0.5, 0.9}, values;
  for (const double x : at) values.push_back(std::sin(3 * x));
  std::vector<std::vector<AxisDistances>> distances(at.size());
  for (std::size_t i = 0; i < at.size(); ++i)
    for (const double other : at) distances[i].push_back({std::abs(at[i] - other)});
  const GaussianProcess process(distances, values);
  const auto predicted = [&](double x) {
    std::vector<AxisDistances> apart;
    for (const double other : at) apart.push_back({std::abs(x - other)});
    return process.at(apart);
  };
  EXPECT_NEAR(predicted(0.5).mean, std::sin(1.5), 0.01);
  EXPECT_NEAR(predicted(0.35).mean, std::sin(1.05), 0.1);
  EXPECT_LT(predicted(0.5).deviation, predicted(3).deviation);
}

/// A landscape of a front: bits, sparsity and channels make small what they make worse; one method is better.
FrontPoint landscape(const GridPoint &point) {
  const auto sparse = static_cast<double>(point[1]) / 4, cut = static_cast<double>(point[2]) / 3;
  const bool few_bits = point[0] == 1;
  const double cost = 1e5 * (few_bits ? 0.55 : 1.0) * (1 - 0.7 * sparse) * (1 - 0.5 * cut);
  const double methods[] = {0.02, 0.05, 0, 0.08};
  const double loss = 0.3 * sparse * sparse * sparse + 0.2 * cut * cut + (few_bits ? 0.03 : 0) + methods[point[3]];
  return {cost, 1 - loss};
}

double area(const std::vector<GridPoint> &points) {
  std::vector<FrontPoint> found;
  for (const GridPoint &point : points) found.push_back(landscape(point));
  return hypervolume(found, {1e5, 0.3});
}

std::vector<GridPoint> searched(std::uint64_t seed, std::size_t runs) {
  Sampler sampler({{2}, {5}, {4}, {4, false}}, seed);
  std::vector<GridPoint> all;
  while (all.size() < runs)
    for (const GridPoint &point : sampler.next(std::min<std::size_t>(4, runs - all.size()))) {
      sampler.tell(point, landscape(point));
      all.push_back(point);
    }
  return all;
}

TEST(Sampler, FindsTheFrontInAQuarterOfTheGrid) {
  std::vector<GridPoint> grid;
  for (std::size_t i = 0; i < 160; ++i) grid.push_back({i % 2, i / 2 % 5, i / 10 % 4, i / 40});
  const std::vector<GridPoint> found = searched(1, 40);
  EXPECT_GT(area(found), 0.99 * area(grid));
}

TEST(Sampler, GivesEachPointOnceAndThenNone) {
  Sampler sampler({{2}, {3}}, 5);
  std::set<GridPoint> seen;
  for (;;) {
    const auto points = sampler.next(2);
    if (points.empty()) break;
    for (const GridPoint &point : points) {
      EXPECT_TRUE(seen.insert(point).second);
      sampler.tell(point, point[0] == 1 ? std::nullopt : std::optional(FrontPoint{2.0, 1.0}));
    }
  }
  EXPECT_EQ(seen.size(), 6U);
}

TEST(Sampler, IsDeterministic) { EXPECT_EQ(searched(9, 30), searched(9, 30)); }

} // namespace
} // namespace edgec
