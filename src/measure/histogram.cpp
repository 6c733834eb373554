#include "measure/histogram.h"

#include <algorithm>
#include <cmath>

namespace edgec {

Histogram Histogram::between(double low, double high, std::size_t bins) {
  if (!(low < high)) high = low + std::max(1e-6, std::abs(low) * 1e-6);
  return {low, high, std::vector<std::uint64_t>(bins)};
}

void Histogram::add(double value, std::uint64_t times) {
  if (std::isnan(value) || counts.empty()) return;
  const auto bins = static_cast<double>(counts.size());
  const double place = std::floor((value - low) / (high - low) * bins);
  counts[static_cast<std::size_t>(std::clamp(place, 0.0, bins - 1))] += times;
}

Histogram histogram_of(std::span<const double> values, std::size_t bins) {
  double low = 0, high = 0;
  bool any = false;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
  }
  if (!any) return {};
  Histogram histogram = Histogram::between(low, high, bins);
  for (const double value : values)
    if (std::isfinite(value)) histogram.add(value);
  return histogram;
}

} // namespace edgec
