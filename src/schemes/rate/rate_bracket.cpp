#include "schemes/rate/rate_bracket.h"

#include <algorithm>
#include <cmath>

namespace edgec {
namespace {

constexpr double least_step = 0.004, largest_step = 4, closest = 0.03; // of log2 of the rate
/// Interpolations before the bracket is halved instead: where sizes jump they creep along one side.
constexpr int most_interpolations = 2;

} // namespace

const RateBracket::Point *RateBracket::nearest(bool above) const {
  const auto found = std::ranges::find_if(points_, [&](const Point &p) { return (p.bytes > limit_) == above; });
  return found == points_.end() ? nullptr : &*found;
}

void RateBracket::add(double rate, double bytes) {
  const Point point{std::log2(rate), bytes};
  const auto distance = [&](const Point &p) { return std::abs(p.bytes - wanted_); };
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
  const Point &start = points_.front();
  const double step = std::clamp((wanted_ - start.bytes) / slope(), -largest_step, largest_step);
  return std::exp2(start.log_rate + std::copysign(std::max(std::abs(step), least_step), step));
}

bool RateBracket::closed() const {
  const Point *above = nearest(true), *below = nearest(false);
  return above && below && below->log_rate - above->log_rate < closest;
}

} // namespace edgec
