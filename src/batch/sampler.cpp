#include "batch/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "batch/gaussian_process.h"
#include "support/random.h"

namespace edgec {
namespace {

AxisDistances axis_distances(const std::vector<SamplerAxis> &axes, const GridPoint &a, const GridPoint &b) {
  AxisDistances apart;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const double steps = std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    apart.push_back(!axes[i].ordered ? (steps > 0 ? 1 : 0)
                                     : steps / static_cast<double>(std::max<std::size_t>(1, axes[i].values - 1)));
  }
  return apart;
}

/// What is known and believed, to judge candidates by.
struct Beliefs {
  std::vector<GridPoint> points;
  std::vector<double> costs, qualities; ///< cost: the logarithm
  FrontPoint worst;
  [[nodiscard]] std::vector<FrontPoint> front() const {
    std::vector<FrontPoint> found;
    for (std::size_t i = 0; i < points.size(); ++i) found.push_back({costs[i], qualities[i]});
    return found;
  }
};

} // namespace

Sampler::Sampler(std::vector<SamplerAxis> axes, std::uint64_t seed) : axes_(std::move(axes)), seed_(seed) {
  for (const SamplerAxis &axis : axes_) size_ *= axis.values;
}

void Sampler::tell(const GridPoint &point, std::optional<FrontPoint> found) { found_[point] = found; }

/// Points that were not given: all, or of a large grid a part drawn by chance.
std::vector<GridPoint> Sampler::candidates() const {
  constexpr std::size_t most = 4096;
  std::vector<GridPoint> open;
  Random random(seed_ + 0x9e37 * given_.size());
  for (std::size_t i = 0; i < std::min(size_, most); ++i) {
    std::size_t rest = size_ <= most ? i : random.below(size_);
    GridPoint point;
    for (const SamplerAxis &axis : axes_) {
      point.push_back(rest % axis.values);
      rest /= axis.values;
    }
    if (std::ranges::find(given_, point) == given_.end()) open.push_back(std::move(point));
  }
  return open;
}

double Sampler::distance(const GridPoint &a, const GridPoint &b) const {
  double sum = 0;
  for (const double apart : axis_distances(axes_, a, b)) sum += apart * apart;
  return sum;
}

/// The point that lies farthest from all that were given.
GridPoint Sampler::farthest(const std::vector<GridPoint> &open) const {
  if (given_.empty()) return open.front();
  const auto room = [&](const GridPoint &point) {
    double least = std::numeric_limits<double>::infinity();
    for (const GridPoint &other : given_) least = std::min(least, distance(point, other));
    return least;
  };
  return *std::ranges::max_element(open, {}, room);
}

namespace {

GaussianProcess process_of(const std::vector<SamplerAxis> &axes, const std::vector<GridPoint> &points,
                           const std::vector<double> &values) {
  std::vector<std::vector<AxisDistances>> distances(points.size());
  for (std::size_t i = 0; i < points.size(); ++i)
    for (const GridPoint &other : points) distances[i].push_back(axis_distances(axes, points[i], other));
  return {distances, values};
}

/// Points that were given and have not been told of yet count as what is believed of them: the next one lies elsewhere.
void believe(Beliefs &model, const std::vector<SamplerAxis> &axes, const std::vector<GridPoint> &pending) {
  if (pending.empty()) return;
  const GaussianProcess cost = process_of(axes, model.points, model.costs);
  const GaussianProcess quality = process_of(axes, model.points, model.qualities);
  const std::vector<GridPoint> known = model.points;
  for (const GridPoint &point : pending) {
    std::vector<AxisDistances> apart;
    for (const GridPoint &other : known) apart.push_back(axis_distances(axes, point, other));
    model.points.push_back(point);
    model.costs.push_back(cost.at(apart).mean);
    model.qualities.push_back(quality.at(apart).mean);
  }
}

} // namespace

GridPoint Sampler::most_promising(const std::vector<GridPoint> &open) const {
  Beliefs model;
  std::vector<GridPoint> pending;
  for (const GridPoint &point : given_) {
    const auto told = found_.find(point);
    if (told == found_.end()) pending.push_back(point);
    if (told == found_.end() || !told->second) continue;
    model.points.push_back(point);
    model.costs.push_back(std::log(std::max(1.0, told->second->cost)));
    model.qualities.push_back(told->second->quality);
  }
  model.worst = {*std::ranges::max_element(model.costs), *std::ranges::min_element(model.qualities)};
  believe(model, axes_, pending);
  const GaussianProcess cost = process_of(axes_, model.points, model.costs);
  const GaussianProcess quality = process_of(axes_, model.points, model.qualities);
  std::vector<FrontPoint> front = model.front();
  const double before = hypervolume(front, model.worst);
  const auto gain = [&](const GridPoint &point) {
    std::vector<AxisDistances> apart;
    for (const GridPoint &other : model.points) apart.push_back(axis_distances(axes_, point, other));
    const Predicted c = cost.at(apart), q = quality.at(apart);
    front.push_back({c.mean - c.deviation, q.mean + q.deviation});
    const double more = hypervolume(front, model.worst) - before;
    front.pop_back();
    return std::pair(more, c.deviation + q.deviation); // where nothing promises to be better: what is least known
  };
  return *std::ranges::max_element(open, {}, gain);
}

std::vector<GridPoint> Sampler::next(std::size_t count) {
  const std::size_t spread = axes_.size() + 3;
  std::vector<GridPoint> chosen;
  while (chosen.size() < count) {
    const std::vector<GridPoint> open = candidates();
    if (open.empty()) break;
    const auto good = std::ranges::count_if(found_, [](const auto &entry) { return entry.second.has_value(); });
    const bool blind = given_.size() < spread || good < 2;
    chosen.push_back(blind ? farthest(open) : most_promising(open));
    given_.push_back(chosen.back());
  }
  return chosen;
}

} // namespace edgec
