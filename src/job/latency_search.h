// `--max-latency`: what is done to a network so that it is fast enough on this machine, as little as possible.
#pragma once

#include "job/compressor.h"

namespace edgec {

/// A flag as a user types it: its key and its value.
using TypedFlag = std::pair<std::string, std::string>;

/// What goes with the flags that were given.
struct LatencyChoice {
  std::vector<TypedFlag> flags;
  Settings settings; ///< with them
  PassFigures tried; ///< what was tried, in order, and how long each took; skipped: too long
};

/// Tries, in this order, what was asked for, the same with static int8, of which as many nodes stay float as there is
/// time for, and the faster of the two with channels cut, in steps of 5 % of the multiply-accumulates: the first that
/// runs within `budget_ms` with a little to spare, else the fastest. Each is made quickly, by few samples and --effort
/// fast, which changes its weights but hardly what is computed, and measured by the median of runs on one thread, in
/// turns with `source`. The choice depends on the machine.
Result<LatencyChoice> choose_for_latency(const Graph &source, const CompressRequest &request, const Dataset &data,
                                         double budget_ms);

} // namespace edgec
