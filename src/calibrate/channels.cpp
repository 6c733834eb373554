#include "calibrate/channels.h"

#include <algorithm>
#include <cmath>

#include "support/vectorize.h"

namespace edgec {
namespace {

EDGEC_VECTOR_CLONES void add_rows(const float *values, std::size_t rows, std::size_t channels, double *__restrict sums) {
  for (std::size_t r = 0; r < rows; ++r, values += channels)
    for (std::size_t c = 0; c < channels; ++c) sums[c] += values[c];
}

EDGEC_VECTOR_CLONES void spread_rows(const float *values, std::size_t rows, std::size_t channels, float *__restrict peak,
                                     double *__restrict squares) {
  for (std::size_t r = 0; r < rows; ++r, values += channels)
    for (std::size_t c = 0; c < channels; ++c) {
      const float magnitude = values[c] < 0 ? -values[c] : values[c];
      peak[c] = magnitude > peak[c] ? magnitude : peak[c];
      squares[c] += static_cast<double>(magnitude) * magnitude;
    }
}

bool innermost(std::span<const std::int64_t> dims, bool channels_last) { return dims.size() <= 2 || channels_last; }

} // namespace

std::int64_t channel_count(std::span<const std::int64_t> dims) {
  return dims.empty() ? 1 : dims.size() == 1 ? dims[0] : dims[1];
}

std::vector<double> channel_sums(std::span<const float> values, std::span<const std::int64_t> dims, bool channels_last) {
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

} // namespace edgec
