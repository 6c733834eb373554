// Two networks measured in turns, so that what else the machine does meets both, and how sure their ratio is.
#pragma once

#include <vector>

#include "measure/latency.h"

namespace edgec {

struct PairedLatency {
  std::vector<double> first, second; ///< seconds of each round
};

/// The middle one of `values`, which are not empty; of an even number, the larger of two.
double median(std::vector<double> values);

/// Rounds of one run each, which of them goes first changing from round to round.
Result<PairedLatency> measure_pair(const std::shared_ptr<const Plan> &first, const Sample &first_sample,
                                   const std::shared_ptr<const Plan> &second, const Sample &second_sample,
                                   const LatencyOptions &options);

/// The same of two networks that take the same inputs, those of half precision rounded (as_inputs()), one thread each.
Result<PairedLatency> measure_pair(const Graph &first, const Graph &second, const OpRegistry &ops, const Sample &sample,
                                   Isa isa, const LatencyOptions &options);

/// How many times as long the first takes as the second.
struct LatencyRatio {
  double ratio = 1;         ///< of the medians
  double low = 1, high = 1; ///< with 95 % confidence
  [[nodiscard]] bool shown() const { return low > 1 || high < 1; }
};
/// By a seeded bootstrap over rounds (Efron 1979), neighbouring ones drawn together: what disturbs one disturbs the
/// next.
LatencyRatio latency_ratio(const PairedLatency &pair);

} // namespace edgec
