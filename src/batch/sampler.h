// Chooses which points of a grid to try next, where each costs a run: those that are likely to widen the front of size
// and quality. Deterministic.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "batch/front.h"

namespace edgec {

/// An index of a value along each axis.
using GridPoint = std::vector<std::size_t>;

struct SamplerAxis {
  std::size_t values = 1;
  bool ordered = true; ///< neighbours are alike; else all values differ as much
};

/// Two Gaussian processes, of the logarithm of size and of quality, on what was found; the next point is the one whose
/// optimistic figures would add most to the area that the front beats (SMS-EGO; Ponweiser, Wagner, Biermann, Vincze
/// 2008). The first points are spread over the grid.
class Sampler {
public:
  Sampler(std::vector<SamplerAxis> axes, std::uint64_t seed);

  /// At most so many points that were not given before; none: all were.
  std::vector<GridPoint> next(std::size_t count);
  /// What a point gave; nothing: it failed.
  void tell(const GridPoint &point, std::optional<FrontPoint> found);
  /// Points of the grid.
  [[nodiscard]] std::size_t size() const { return size_; }

private:
  std::vector<SamplerAxis> axes_;
  std::uint64_t seed_;
  std::size_t size_ = 1;
  std::vector<GridPoint> given_;
  std::map<GridPoint, std::optional<FrontPoint>> found_;

  [[nodiscard]] std::vector<GridPoint> candidates() const;
  [[nodiscard]] double distance(const GridPoint &a, const GridPoint &b) const;
  [[nodiscard]] GridPoint farthest(const std::vector<GridPoint> &open) const;
  [[nodiscard]] GridPoint most_promising(const std::vector<GridPoint> &open) const;
};

} // namespace edgec
