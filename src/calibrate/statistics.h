// Streaming range statistics: bounded memory per value, whatever the number of samples.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "ir/graph.h"

namespace edgec {

/// What calibration knows of one float value. Counts are integers, so merging does not depend on the order.
struct ValueStatistics {
  float minimum = 0, maximum = 0;
  std::vector<std::uint32_t> histogram; ///< bins over [histogram_low, histogram_high]
  float histogram_low = 0, histogram_high = 0;
  std::vector<double> channel_mean; ///< along the value's axis 1 (or last axis), over all samples
};

using RangeStatistics = std::map<ValueId, ValueStatistics>;

} // namespace edgec
