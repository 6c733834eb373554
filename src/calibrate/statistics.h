// Streaming range statistics: bounded memory per value, whatever the number of samples.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace edgec {

/// What lies between the two tails of a distribution, ends included; holds 0. None: both are infinite.
struct Middle {
  float low = std::numeric_limits<float>::infinity();
  float high = -std::numeric_limits<float>::infinity();
};

/// Counts of float values in bins of the number line that need no range in advance: a value's bin is the top 14 bits of
/// its float32 (sign, exponent, 5 bits of mantissa), so neighbouring bins differ by 1/32 at most. 64 KiB; counts are
/// integers, so merging does not depend on the order.
class LogHistogram {
public:
  static constexpr std::size_t bin_count = std::size_t{1} << 14;
  /// Counts what is finite. All values lie in [low, high], which makes it faster where that is not the whole line.
  void add(std::span<const float> values, float low = -std::numeric_limits<float>::infinity(),
           float high = std::numeric_limits<float>::infinity());
  /// Counts what lies beyond the middle one by one, and the middle by one block of values in eight. The total is right.
  void add_tails(std::span<const float> values, Middle middle);
  /// Whether enough lies beyond the middle to tell where percentile_range() cuts.
  [[nodiscard]] bool tells(double percentile, Middle middle) const;
  void merge(const LogHistogram &other);
  [[nodiscard]] std::uint64_t total() const;
  /// Calls visit(low, high, count) for each bin that holds something, in ascending order of values; low <= high.
  template <class Visit>
  void for_each(Visit &&visit) const {
    for (std::size_t i = bin_count; i-- > bin_count / 2;)
      if (counts_[i] > 0) visit(bin_edge(i + 1), bin_edge(i), counts_[i]);
    for (std::size_t i = 0; i < bin_count / 2; ++i)
      if (counts_[i] > 0) visit(bin_edge(i), bin_edge(i + 1), counts_[i]);
  }

  /// Calls visit(bin, count) for each bin that holds something, by number.
  template <class Visit>
  void for_each_bin(Visit &&visit) const {
    for (std::size_t i = 0; i < bin_count; ++i)
      if (counts_[i] > 0) visit(i, counts_[i]);
  }
  /// False: there is no such bin.
  bool add_bin(std::size_t bin, std::uint32_t count) {
    if (bin >= bin_count) return false;
    counts_[bin] += count;
    return true;
  }

private:
  void drop_infinities(); ///< NaN as well
  static float bin_edge(std::size_t index);
  std::array<std::uint32_t, bin_count> counts_{};
};

/// What calibration knows of one float value.
struct ValueStatistics {
  float minimum = 0, maximum = 0;          ///< of what is finite; 0 where nothing is
  bool infinite = false;                   ///< infinities were seen: they are in neither range nor histogram
  std::shared_ptr<LogHistogram> histogram; ///< null where the range method does not need it
  std::vector<double> channel_mean;        ///< per index of axis 1 (of axis 0 for rank 1), over samples and positions
  std::vector<float> channel_peak;         ///< the same: max |x|
  std::vector<double> channel_power;       ///< the same: mean of x^2

  /// Ranges unite, counts and means add up; `samples` and `other_samples` weigh the means.
  void merge(const ValueStatistics &other, double samples, double other_samples);
};

using RangeStatistics = std::map<ValueId, ValueStatistics>;

/// How an activation's range is chosen from its statistics.
enum class RangeMethod { minmax, percentile, entropy, mse };

struct Range {
  float low = 0, high = 0;
};

/// The real range that a tensor of `bits` should cover; always holds 0. entropy: the part of [min, max] whose levels
/// have the least Kullback-Leibler divergence from the values' distribution (Migacz 2017).
/// percentile: each tail leaves (1 - percentile / 100) / 2 of the values outside. mse: the part of [min, max], in
/// hundredths, with the least expected squared error of clipping and of rounding (step^2 / 12; Choukroun et al. 2019).
Range choose_range(const ValueStatistics &statistics, RangeMethod method, double percentile, int bits = 8);

/// Asymmetric `bits`-bit codes from 0: scale = (high - low) / (2^bits - 1), zero point = round(-low / scale).
/// Q(x) = round((x - min) / (max - min) * (2^bits - 1)) up to the zero point's own rounding (Jacob et al. 2018).
Quant asymmetric_quant(Range range, int bits);

} // namespace edgec
