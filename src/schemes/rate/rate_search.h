// The one knob of a file's size: what a bit may cost. Found so that a budget is met.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "schemes/fitting/held_out.h"
#include "schemes/rate/options.h"
#include "schemes/scheme.h"

namespace edgec {

struct RateOutcome {
  Graph graph;
  std::vector<RatePoint> curve; ///< by ascending bytes
  double rate = 0;
  bool met = true;                  ///< the budget
  std::size_t smallest = 0;         ///< bytes of the smallest file seen
  bool interrupted = false;         ///< the search was stopped; what it had found meets the budget
  std::optional<Fidelity> held_out; ///< of networks that were not fitted to the samples that they are judged on
};

/// Compresses at a rate, fitted to some of the samples.
using AtRate = std::function<Result<Graph>(double rate, std::span<const std::size_t> samples)>;

/// Judges networks, each fitted to one half of the samples, on the other.
using HeldOutJudge = std::function<Result<Fidelity>(const FitHalf &)>;

/// Takes the rate of RateOptions as it is; else bisects on its logarithm until the budget is met: `max_size` where the
/// job says what files weigh, else `max_drop`; without any, a rate that costs hardly anything. `power`: of the
/// original's answers (answer_power()). A size that cannot be met gives the smallest file seen. A signal
/// (support/cancel.h) stops the search: where a network that it saw meets the budget, that is the outcome and the
/// signal counts as answered; else Code::interrupted.
Result<RateOutcome> search_rate(const AtRate &at_rate, const HeldOutJudge &judge, double power, const Job &job,
                                std::size_t weights);

/// A note for each point.
void say_curve(const Job &job, std::string_view pass, std::span<const RatePoint> curve);

} // namespace edgec
