#include "train/sparsity.h"

#include <algorithm>
#include <cmath>

namespace edgec {

double scheduled_zeros(double start, double end, std::size_t step, std::size_t steps) {
  constexpr double from = 0.15, to = 0.55;
  const double at = static_cast<double>(step + 1) / static_cast<double>(std::max<std::size_t>(steps, 1));
  const double share = std::clamp((at - from) / (to - from), 0.0, 1.0);
  return end + (start - end) * std::pow(1 - share, 3);
}

void clear_least(std::span<char> kept, std::span<const float> worth, std::span<const Segment> segments, double zeros) {
  constexpr double least = 0.05;
  struct Candidate {
    float worth;
    std::size_t place;
  };
  const auto before = [](const Candidate &a, const Candidate &b) {
    return a.worth != b.worth ? a.worth < b.worth : a.place < b.place;
  };
  std::vector<Candidate> candidates;
  std::size_t all = 0, cleared = 0;
  for (const Segment &segment : segments) {
    std::vector<Candidate> own;
    for (std::size_t i = segment.first; i < segment.first + segment.count; ++i)
      if (kept[i] != 0) own.push_back({worth[i], i});
    all += segment.count;
    cleared += segment.count - own.size();
    const auto floor = std::max<std::size_t>(1, static_cast<std::size_t>(least * static_cast<double>(segment.count)));
    if (own.size() <= floor) continue;
    std::ranges::sort(own, before);
    candidates.insert(candidates.end(), own.begin(), own.end() - static_cast<std::ptrdiff_t>(floor));
  }
  const auto wanted = static_cast<std::size_t>(zeros * static_cast<double>(all));
  if (wanted <= cleared) return;
  std::ranges::sort(candidates, before);
  for (std::size_t i = 0; i < std::min(wanted - cleared, candidates.size()); ++i) kept[candidates[i].place] = 0;
}

} // namespace edgec
