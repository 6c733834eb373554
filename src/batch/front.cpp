#include "batch/front.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace edgec {

std::vector<std::size_t> front_of(const std::vector<FrontPoint> &points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return points[a].cost != points[b].cost ? points[a].cost < points[b].cost : points[a].quality > points[b].quality;
  });
  std::vector<std::size_t> front;
  double best = -std::numeric_limits<double>::infinity();
  for (const std::size_t i : order)
    if (points[i].quality > best) {
      best = points[i].quality;
      front.push_back(i);
    }
  return front;
}

double hypervolume(const std::vector<FrontPoint> &points, FrontPoint worst) {
  double area = 0, reached = worst.quality;
  for (const std::size_t i : front_of(points)) {
    if (points[i].cost >= worst.cost || points[i].quality <= reached) continue;
    area += (worst.cost - points[i].cost) * (points[i].quality - reached);
    reached = points[i].quality;
  }
  return area;
}

} // namespace edgec
