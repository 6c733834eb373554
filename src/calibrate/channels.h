// What the channels of a value hold, added up in order of position.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace edgec {

/// Number of channels: of axis 1; of axis 0 for rank 1; 1 for a scalar.
std::int64_t channel_count(std::span<const std::int64_t> dims);

/// Sums of a float value per channel.
std::vector<double> channel_sums(std::span<const float> values, std::span<const std::int64_t> dims, bool channels_last);

/// How many values of each channel lie between `low` and `high`, both excluded.
std::vector<double> channel_counts(std::span<const float> values, std::span<const std::int64_t> dims,
                                   bool channels_last, float low, float high);

/// max |x| and the sum of x^2 per channel.
struct ChannelSpread {
  std::vector<float> peak;
  std::vector<double> squares;
};
ChannelSpread channel_spread(std::span<const float> values, std::span<const std::int64_t> dims, bool channels_last);

} // namespace edgec
