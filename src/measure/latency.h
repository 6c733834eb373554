// How long one run of a network takes, and what memory it needs.
#pragma once

#include <cstddef>
#include <vector>

#include "data/samples.h"
#include "runtime/plan.h"

namespace edgec {

struct LatencyOptions {
  std::size_t warm_up = 3;     ///< runs that are not counted
  std::size_t least_runs = 20; ///< counted runs, at least
  double least_seconds = 1;    ///< of counted runs; stops at 100,000
};

struct StepTime {
  StepInfo step;
  double seconds = 0; ///< of one run, mean
};

struct Latency {
  std::vector<double> seconds; ///< of each counted run, sorted
  std::vector<StepTime> steps; ///< in the order of the plan
  std::size_t arena_bytes = 0, scratch_bytes = 0;

  /// The value that a share of the runs does not exceed (nearest rank); share in 0 .. 1, seconds not empty.
  [[nodiscard]] double quantile(double share) const;
  /// Half the distance of the quartiles over the median.
  [[nodiscard]] double spread() const;
};

/// Runs a plan again and again on one sample, on the calling thread (and the plan's own). Stops on an interrupt.
Result<Latency> measure_latency(const std::shared_ptr<const Plan> &plan, const Sample &sample,
                                const LatencyOptions &options);

/// The plan that runs a network on calls like this sample.
Result<std::shared_ptr<const Plan>> plan_for(const Graph &graph, const OpRegistry &ops, const Sample &sample,
                                             const PlanOptions &options);

/// The most memory this process has held, in bytes; 0 where the system does not say.
std::size_t peak_memory_bytes();

} // namespace edgec
