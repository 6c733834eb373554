#include "schemes/rate/rate_bracket.h"

#include <algorithm>
#include <cmath>

namespace edgec {
namespace {

constexpr double least_step = 0.004, largest_step = 4, closest = 0.03; // of log2 of the rate
/// Interpolations before the bracket is halved instead: where sizes jump they creep along one side.
constexpr int most_interpolations = 2;
constexpr double flat = 1e-4; ///< of a size: as good as the same
/// So many sizes seen before, on both sides of a jump, and there is none between.
constexpr int most_flat = 3;

} // namespace

const RateBracket::Point *RateBracket::nearest(bool above) const {
  const auto found = std::ranges::find_if(points_, [&](const Point &p) { return (p.bytes > limit_) == above; });
  return found == points_.end() ? nullptr : &*found;
}

void RateBracket::add(double rate, double bytes) {
  const Point point{std::log2(rate), bytes};
  const auto distance = [&](const Point &p) { return std::abs(p.bytes - wanted_); };
  if (std::ranges::any_of(points_, [&](const Point &p) { return std::abs(p.bytes - bytes) <= flat * bytes; })) ++flat_;
  points_.insert(std::ranges::lower_bound(points_, distance(point), {}, distance), point);
  if (nearest(true) && nearest(false)) ++within_;
}

bool RateBracket::rises(double rate, double bytes) const {
  return std::ranges::any_of(points_, [&](const Point &p) { return p.log_rate < std::log2(rate) && p.bytes <= bytes; });
}

double RateBracket::slope() const {
  if (points_.size() < 2) return slope_;
  const double run = points_[1].log_rate - points_[0].log_rate, rise = points_[1].bytes - points_[0].bytes;
  return rise * run < 0 ? rise / run : slope_;
}

double RateBracket::next() const {
  const Point *above = nearest(true), *below = nearest(false);
  if (above && below && below->log_rate > above->log_rate) {
    const double share = within_ > most_interpolations ? 0.5 : (above->bytes - wanted_) / (above->bytes - below->bytes);
    return std::exp2(std::lerp(above->log_rate, below->log_rate, std::clamp(share, 0.02, 0.98)));
  }
  // Where sizes fall with the rate that is the nearest one; where hardly a weight is left they need not.
  const auto [lowest, highest] = std::ranges::minmax_element(points_, {}, &Point::log_rate);
  const Point &start = above && below ? points_.front() : below ? *lowest : *highest;
  const double step = std::clamp((wanted_ - start.bytes) / slope(), -largest_step, largest_step);
  const double least = flat_ > 0 ? std::min(std::exp2(flat_), largest_step) : least_step; // off a plateau
  return std::exp2(start.log_rate + std::copysign(std::max(std::abs(step), least), step));
}

bool RateBracket::closed() const {
  const Point *above = nearest(true), *below = nearest(false);
  if (above && below) return flat_ >= most_flat || below->log_rate - above->log_rate < closest;
  return below && flat_ > 1; // codes are as fine as they get, and the file is still smaller than asked
}

} // namespace edgec
