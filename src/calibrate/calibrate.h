// The streaming pass over calibration samples: one run of the float network each.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "calibrate/channels.h"
#include "calibrate/statistics.h"
#include "data/samples.h"
#include "ir/opdef.h"

namespace edgec {

struct CalibrationOptions {
  std::vector<ValueId> ranges;          ///< values whose range is wanted
  std::vector<ValueId> channel_means;   ///< values whose channel means are wanted
  std::vector<ValueId> channel_spreads; ///< values whose channel peaks and powers are wanted
  std::set<ValueId> last_axis;          ///< of these, those whose channels are their last axis
  std::vector<ValueId> fetches;         ///< values given to `fetched`
  bool histograms = false;              ///< percentile and MSE need them
  std::optional<double> percentile;     ///< all that they are for: what lies between its cuts may be counted in part
  int folds = 2;                        ///< statistics are kept apart for sample index modulo folds
  int threads = 1;
  Isa isa = Isa::scalar;
  std::function<void(std::size_t done, std::size_t all)> progress;
  std::function<void(std::size_t index, std::vector<Tensor> fetches)> fetched; ///< of each sample, from any thread
};

struct Calibration {
  std::vector<RangeStatistics> folds;
  std::vector<std::size_t> fold_samples;

  /// The statistics of some folds together.
  [[nodiscard]] RangeStatistics merged(std::span<const int> wanted) const;
};

/// Runs `graph` on the samples and gathers statistics; identical for any number of threads. Memory: one plan, per
/// thread an arena and, with histograms, 64 KiB a value. A NaN, or an infinity in an output, is bad_input naming sample
/// and first value.
Result<Calibration> calibrate(const Graph &graph, const OpRegistry &ops, const SampleSet &samples,
                              std::span<const std::size_t> which, const CalibrationOptions &options);

} // namespace edgec
