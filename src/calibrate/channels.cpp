#include "calibrate/channels.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "support/vectorize.h"

namespace edgec {
namespace {

/// Channels whose sums are kept in registers while the rows go by.
constexpr std::size_t strip = 32;

template <std::size_t Width>
[[gnu::always_inline]] inline void add_strip(const float *values, std::size_t rows, std::size_t channels,
                                             double *__restrict sums) {
  std::array<double, Width> own{};
  for (std::size_t r = 0; r < rows; ++r, values += channels)
    for (std::size_t c = 0; c < Width; ++c) own[c] += values[c];
  for (std::size_t c = 0; c < Width; ++c) sums[c] += own[c];
}

EDGEC_VECTOR_CLONES void add_rows(const float *values, std::size_t rows, std::size_t channels,
                                  double *__restrict sums) {
  std::size_t c = 0;
  for (; c + strip <= channels; c += strip) add_strip<strip>(values + c, rows, channels, sums + c);
  for (; c + 4 <= channels; c += 4) add_strip<4>(values + c, rows, channels, sums + c);
  for (; c < channels; ++c) add_strip<1>(values + c, rows, channels, sums + c);
}

template <std::size_t Width>
[[gnu::always_inline]] inline void spread_strip(const float *values, std::size_t rows, std::size_t channels,
                                                float *__restrict peak, double *__restrict squares) {
  std::array<double, Width> power{};
  std::array<float, Width> largest{};
  for (std::size_t r = 0; r < rows; ++r, values += channels)
    for (std::size_t c = 0; c < Width; ++c) {
      const float magnitude = values[c] < 0 ? -values[c] : values[c];
      largest[c] = magnitude > largest[c] ? magnitude : largest[c];
      power[c] += static_cast<double>(magnitude) * magnitude;
    }
  for (std::size_t c = 0; c < Width; ++c) peak[c] = std::max(peak[c], largest[c]), squares[c] += power[c];
}

EDGEC_VECTOR_CLONES void spread_rows(const float *values, std::size_t rows, std::size_t channels,
                                     float *__restrict peak, double *__restrict squares) {
  std::size_t c = 0;
  for (; c + strip <= channels; c += strip) spread_strip<strip>(values + c, rows, channels, peak + c, squares + c);
  for (; c < channels; ++c) spread_strip<1>(values + c, rows, channels, peak + c, squares + c);
}

template <std::size_t Width>
[[gnu::always_inline]] inline void count_strip(const float *values, std::size_t rows, std::size_t channels, float low,
                                               float high, std::uint32_t *__restrict inside) {
  std::array<std::uint32_t, Width> own{};
  for (std::size_t r = 0; r < rows; ++r, values += channels)
    for (std::size_t c = 0; c < Width; ++c) own[c] += (values[c] > low ? 1U : 0U) & (values[c] < high ? 1U : 0U);
  for (std::size_t c = 0; c < Width; ++c) inside[c] += own[c];
}

EDGEC_VECTOR_CLONES void count_rows(const float *values, std::size_t rows, std::size_t channels, float low, float high,
                                    std::uint32_t *__restrict inside) {
  std::size_t c = 0;
  for (; c + strip <= channels; c += strip) count_strip<strip>(values + c, rows, channels, low, high, inside + c);
  for (; c < channels; ++c) count_strip<1>(values + c, rows, channels, low, high, inside + c);
}

/// Values of one channel that lie side by side.
EDGEC_VECTOR_CLONES std::uint32_t count_between(const float *values, std::size_t count, float low, float high) {
  std::uint32_t inside = 0;
  for (std::size_t i = 0; i < count; ++i) inside += (values[i] > low ? 1U : 0U) & (values[i] < high ? 1U : 0U);
  return inside;
}

bool innermost(std::span<const std::int64_t> dims, bool channels_last) { return dims.size() <= 2 || channels_last; }

} // namespace

std::int64_t channel_count(std::span<const std::int64_t> dims) {
  return dims.empty() ? 1 : dims.size() == 1 ? dims[0] : dims[1];
}

std::vector<double> channel_sums(std::span<const float> values, std::span<const std::int64_t> dims,
                                 bool channels_last) {
  std::vector<double> sums(static_cast<std::size_t>(channel_count(dims)));
  if (sums.empty() || values.empty()) return sums;
  if (innermost(dims, channels_last)) {
    add_rows(values.data(), values.size() / sums.size(), sums.size(), sums.data());
    return sums;
  }
  const std::size_t rows = static_cast<std::size_t>(dims[0]) * sums.size(), positions = values.size() / rows;
  for (std::size_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (const float value : values.subspan(row * positions, positions)) sum += value;
    sums[row % sums.size()] += sum;
  }
  return sums;
}

ChannelSpread channel_spread(std::span<const float> values, std::span<const std::int64_t> dims, bool channels_last) {
  const auto channels = static_cast<std::size_t>(channel_count(dims));
  ChannelSpread spread{std::vector<float>(channels), std::vector<double>(channels)};
  if (channels == 0 || values.empty()) return spread;
  if (innermost(dims, channels_last)) {
    spread_rows(values.data(), values.size() / channels, channels, spread.peak.data(), spread.squares.data());
    return spread;
  }
  const std::size_t rows = static_cast<std::size_t>(dims[0]) * channels, positions = values.size() / rows;
  for (std::size_t row = 0; row < rows; ++row) {
    float peak = 0;
    double squares = 0;
    for (const float value : values.subspan(row * positions, positions)) {
      peak = std::max(peak, std::abs(value));
      squares += static_cast<double>(value) * value;
    }
    spread.peak[row % channels] = std::max(spread.peak[row % channels], peak);
    spread.squares[row % channels] += squares;
  }
  return spread;
}

std::vector<double> channel_counts(std::span<const float> values, std::span<const std::int64_t> dims,
                                   bool channels_last, float low, float high) {
  std::vector<std::uint32_t> inside(static_cast<std::size_t>(channel_count(dims)));
  if (inside.empty() || values.empty()) return {inside.begin(), inside.end()};
  if (innermost(dims, channels_last)) {
    count_rows(values.data(), values.size() / inside.size(), inside.size(), low, high, inside.data());
  } else {
    const std::size_t rows = static_cast<std::size_t>(dims[0]) * inside.size(), positions = values.size() / rows;
    for (std::size_t row = 0; row < rows; ++row)
      inside[row % inside.size()] += count_between(&values[row * positions], positions, low, high);
  }
  return {inside.begin(), inside.end()};
}

} // namespace edgec
