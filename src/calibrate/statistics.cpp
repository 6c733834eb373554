#include "calibrate/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "support/vectorize.h"

namespace edgec {

namespace {

constexpr std::size_t bins_of_sign = LogHistogram::bin_count / 2,
                      finite_bins = std::size_t{0x7f800000} >> 18; // of one sign, those of numbers

/// Counts beside a histogram's own: neighbours often share a bin (zeros above all), and no count waits for the last
/// where they are counted in different tables.
constexpr std::size_t more_sides = 3;
using Sides = std::array<std::array<std::uint32_t, LogHistogram::bin_count>, more_sides>;
/// Fewer values are counted faster than the other sides are added up.
constexpr std::size_t few_values = std::size_t{1} << 14;

/// This thread's, all 0 between two calls.
Sides &sides_of_thread() {
  thread_local const auto sides = std::make_unique<Sides>();
  return *sides;
}

std::size_t bin_of(float value) { return std::bit_cast<std::uint32_t>(value) >> 18; }

/// How many bins of one sign hold what is at most so large; NaN is behind infinity.
std::size_t bins_up_to(float magnitude) {
  if (std::isinf(magnitude) && magnitude > 0) return bins_of_sign;
  return (magnitude > 0 ? bin_of(magnitude) : 0) + 1;
}

} // namespace

void LogHistogram::add(std::span<const float> values, float low, float high) {
  std::uint32_t *const own = counts_.data();
  std::size_t i = 0;
  if (values.size() >= few_values) {
    Sides &sides = sides_of_thread();
    for (; i + more_sides < values.size(); i += more_sides + 1) {
      ++own[bin_of(values[i])];
      for (std::size_t side = 0; side < more_sides; ++side) ++sides[side][bin_of(values[i + 1 + side])];
    }
    for (const auto &[sign, count] : {std::pair{std::size_t{0}, bins_up_to(high)}, {bins_of_sign, bins_up_to(-low)}})
      for (auto &side : sides) {
        for (std::size_t bin = sign; bin < sign + count; ++bin) own[bin] += side[bin];
        std::fill_n(&side[sign], count, 0U);
      }
  }
  for (; i < values.size(); ++i) ++own[bin_of(values[i])];
  drop_infinities();
}

void LogHistogram::drop_infinities() {
  for (const std::size_t sign : {std::size_t{0}, bins_of_sign})
    std::fill_n(&counts_[sign + finite_bins], bins_of_sign - finite_bins, 0U);
}

namespace {

constexpr std::size_t block = 64; // values
constexpr std::size_t one_in = 8; // blocks of the middle

EDGEC_VECTOR_CLONES void count_tails(std::span<const float> values, Middle middle, std::uint32_t *counts) {
  const float *last = nullptr; // block of the middle
  std::uint32_t waiting = 0;   // of them
  const auto count_last = [&] {
    for (std::size_t k = 0; k < block; ++k) counts[bin_of(last[k])] += waiting;
    waiting = 0;
  };
  std::size_t i = 0;
  for (; i + block <= values.size(); i += block) {
    const float *const v = &values[i];
    std::uint32_t beyond = 0;
    for (std::size_t k = 0; k < block; ++k)
      beyond += static_cast<std::uint32_t>(v[k] < middle.low) + static_cast<std::uint32_t>(v[k] > middle.high);
    if (beyond > 0) {
      for (std::size_t k = 0; k < block; ++k) ++counts[bin_of(v[k])];
      continue;
    }
    last = v;
    if (++waiting == one_in) count_last();
  }
  if (waiting > 0) count_last();
  for (; i < values.size(); ++i) ++counts[bin_of(values[i])];
}

/// How many of the values may lie beyond each end of a percentile's range.
double outside_of(double total, double percentile) { return total * (1 - percentile / 100) / 2; }

} // namespace

void LogHistogram::add_tails(std::span<const float> values, Middle middle) {
  count_tails(values, middle, counts_.data());
  drop_infinities();
}

bool LogHistogram::tells(double percentile, Middle middle) const {
  if (middle.low > middle.high) return true;
  double below = 0, above = 0;
  for_each([&](float low, float high, std::uint32_t count) {
    if (high < middle.low) below += count;
    if (low > middle.high) above += count;
  });
  const double outside = outside_of(static_cast<double>(total()), percentile);
  return (middle.low == 0 || below > outside) && (middle.high == 0 || above > outside);
}

void LogHistogram::merge(const LogHistogram &other) {
  for (std::size_t i = 0; i < bin_count; ++i) counts_[i] += other.counts_[i];
}

std::uint64_t LogHistogram::total() const {
  std::uint64_t sum = 0;
  for (const auto count : counts_) sum += count;
  return sum;
}

float LogHistogram::bin_edge(std::size_t index) {
  constexpr std::size_t half = bin_count / 2;
  const bool negative = index > half || index == bin_count;
  const auto magnitude = static_cast<std::uint32_t>(negative ? index - half : index) << 18;
  const float value = std::bit_cast<float>(std::min(magnitude, std::uint32_t{0x7f7fffff}));
  return negative ? -value : value;
}

void ValueStatistics::merge(const ValueStatistics &other, double samples, double other_samples) {
  minimum = std::min(minimum, other.minimum);
  maximum = std::max(maximum, other.maximum);
  infinite |= other.infinite;
  if (histogram && other.histogram) {
    histogram = std::make_shared<LogHistogram>(*histogram);
    histogram->merge(*other.histogram);
  }
  for (std::size_t i = 0; i < channel_mean.size() && i < other.channel_mean.size(); ++i)
    channel_mean[i] = (channel_mean[i] * samples + other.channel_mean[i] * other_samples) / (samples + other_samples);
  for (std::size_t i = 0; i < channel_peak.size() && i < other.channel_peak.size(); ++i) {
    channel_peak[i] = std::max(channel_peak[i], other.channel_peak[i]);
    channel_power[i] =
        (channel_power[i] * samples + other.channel_power[i] * other_samples) / (samples + other_samples);
  }
}

namespace {

Range percentile_range(const LogHistogram &histogram, Range full, double percentile) {
  const double outside = outside_of(static_cast<double>(histogram.total()), percentile);
  double below = 0;
  Range range = full;
  bool low_found = false;
  double above = static_cast<double>(histogram.total());
  bool high_found = false;
  histogram.for_each([&](float low, float high, std::uint32_t count) {
    below += count;
    above -= count;
    if (!low_found && below > outside) range.low = std::max(full.low, low), low_found = true;
    if (!high_found && above <= outside) range.high = std::min(full.high, high), high_found = true;
  });
  return range;
}

double expected_error(const LogHistogram &histogram, Range range, int levels) {
  const double step = (static_cast<double>(range.high) - range.low) / (levels - 1);
  double error = 0;
  histogram.for_each([&](float low, float high, std::uint32_t count) {
    const double value = (static_cast<double>(low) + high) / 2;
    const double clipped = value < range.low ? range.low - value : value > range.high ? value - range.high : 0;
    error += count * (clipped > 0 ? clipped * clipped : value == 0 ? 0 : step * step / 12);
  });
  return error;
}

/// Kullback-Leibler divergence of the values' distribution, clipped to the range, from what the levels make of the
/// values inside: a level's values spread evenly over its width. Zeros are no news: they are kept as they are.
double divergence(const LogHistogram &histogram, Range range, int levels) {
  constexpr double least = 1e-4; // counts
  struct Level {
    double inside = 0, clipped = 0, width = 0;
  };
  std::vector<Level> seen(static_cast<std::size_t>(levels));
  const double step = (static_cast<double>(range.high) - range.low) / (levels - 1);
  const auto middle = [](float low, float high) { return (static_cast<double>(low) + high) / 2; };
  const auto level_of = [&](double value) -> Level & {
    return seen[static_cast<std::size_t>(std::clamp(std::nearbyint((value - range.low) / step), 0.0, levels - 1.0))];
  };
  const auto is_zero = [](double value) { return std::abs(value) < 1e-30; };
  double all = 0, inside = 0;
  histogram.for_each([&](float low, float high, std::uint32_t count) {
    const double value = middle(low, high);
    if (is_zero(value)) return;
    Level &level = level_of(value);
    const bool fits = value >= range.low && value <= range.high;
    (fits ? level.inside : level.clipped) += count;
    if (fits) level.width += static_cast<double>(high) - low, inside += count;
    all += count;
  });
  double sum = 0;
  for (const Level &level : seen)
    if (const double mass = level.inside + level.clipped; mass > 0)
      sum += mass / all * std::log(mass / all / (std::max(level.inside, least) / std::max(inside, least)));
  histogram.for_each([&](float low, float high, std::uint32_t count) {
    const double value = middle(low, high);
    if (is_zero(value) || value < range.low || value > range.high) return;
    const Level &level = level_of(value);
    sum += count / all * std::log(count / level.inside * level.width / (static_cast<double>(high) - low));
  });
  return sum;
}

/// The part of `full`, in hundredths from `least_percent`, that costs least.
template <class Cost>
Range best_part(Range full, int least_percent, Cost &&cost) {
  Range best = full;
  double least = cost(full);
  for (int percent = 99; percent >= least_percent; --percent) {
    const auto share = static_cast<float>(percent) / 100;
    const Range candidate{full.low * share, full.high * share};
    const double error = cost(candidate);
    if (error < least) least = error, best = candidate;
  }
  return best;
}

} // namespace

Range choose_range(const ValueStatistics &statistics, RangeMethod method, double percentile, int bits) {
  Range range{std::min(0.0F, statistics.minimum), std::max(0.0F, statistics.maximum)};
  if (!statistics.histogram) return range;
  if (method == RangeMethod::percentile) range = percentile_range(*statistics.histogram, range, percentile);
  const LogHistogram &histogram = *statistics.histogram;
  const int levels = 1 << bits, least = bits < 8 ? 5 : 30; // fewer levels clip more
  if (method == RangeMethod::mse)
    range = best_part(range, least, [&](Range part) { return expected_error(histogram, part, levels); });
  if (method == RangeMethod::entropy)
    range = best_part(range, least, [&](Range part) { return divergence(histogram, part, levels); });
  return {std::min(0.0F, range.low), std::max(0.0F, range.high)};
}

Quant asymmetric_quant(Range range, int bits) {
  const int levels = (1 << bits) - 1;
  const double width =
      static_cast<double>(range.high) - static_cast<double>(range.low); // may be more than a float holds
  const auto scale = static_cast<float>(width / levels);
  if (!(scale > 1e-30F)) return Quant::per_tensor(1.0F, 0); // a value that is always zero
  const float zero_point = std::nearbyint(-range.low / scale);
  return Quant::per_tensor(scale, static_cast<std::int32_t>(std::clamp(zero_point, 0.0F, static_cast<float>(levels))));
}

} // namespace edgec
