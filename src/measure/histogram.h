// Counts of numbers in bins of equal width: what a report draws of weights and of activations.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace edgec {

struct Histogram {
  double low = 0, high = 0; ///< low < high, unless nothing is counted; each bin is (high - low) / counts.size() wide
  std::vector<std::uint64_t> counts; ///< empty: nothing was counted

  static Histogram between(double low, double high, std::size_t bins);
  /// Counts `times` numbers at `value`; those outside count in the first or last bin, NaN in none.
  void add(double value, std::uint64_t times = 1);
  [[nodiscard]] bool empty() const { return counts.empty(); }
};

/// Of the finite numbers, from the least to the largest.
Histogram histogram_of(std::span<const double> values, std::size_t bins);

} // namespace edgec
