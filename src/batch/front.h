// Which of several networks are worth having: none is both smaller and better.
#pragma once

#include <cstddef>
#include <vector>

namespace edgec {

/// Less of `cost` and more of `quality` is better.
struct FrontPoint {
  double cost = 0, quality = 0;
};

/// Indices of the points that no other beats, by ascending cost; of equal ones the first.
std::vector<std::size_t> front_of(const std::vector<FrontPoint> &points);

/// The area that the points beat, up to `worst`: what lies beyond it counts nothing.
double hypervolume(const std::vector<FrontPoint> &points, FrontPoint worst);

} // namespace edgec
