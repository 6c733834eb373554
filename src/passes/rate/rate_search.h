// The one knob of a file's size: what a bit may cost. Found so that a budget is met.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "passes/held_out.h"

namespace edgec {

/// What the search saw at one rate.
struct RatePoint {
  double rate = 0; ///< squared error of the logits, per sample, that a bit of the file may cost
  std::size_t bytes = 0;
  std::optional<double> agreement, sqnr_db; ///< on samples that the network was not fitted to
  bool chosen = false;
};

struct RateRequest {
  std::optional<double> rate;          ///< as it is; else searched for; without any budget: hardly any loss
  std::optional<std::size_t> max_size; ///< bytes of the file
  std::optional<double> max_drop;      ///< share of answers that may change
  /// Bytes of the file that holds this graph.
  std::function<Result<std::size_t>(const Graph &)> bytes;
  bool cross_fit = true;   ///< judge the final network on samples that it was not fitted to
  bool judge_each = false; ///< and every other that the search saw: a curve of sizes and losses
  std::function<void(std::string_view what, std::size_t done, std::size_t all)> progress; ///< all: at most
};

struct RateOutcome {
  Graph graph;
  std::vector<RatePoint> curve;  ///< by ascending bytes
  double rate = 0;
  bool met = true;               ///< the budget
  std::size_t smallest = 0;      ///< bytes of the smallest file seen
  bool interrupted = false;      ///< the search was stopped; what it had found meets the budget
  std::optional<Fidelity> held_out; ///< of networks that were not fitted to the samples that they are judged on
};

/// Compresses at a rate, fitted to some of the samples.
using AtRate = std::function<Result<Graph>(double rate, std::span<const std::size_t> samples)>;

/// Judges networks, each fitted to one half of the samples, on the other.
using HeldOutJudge = std::function<Result<Fidelity>(const FitHalf &)>;

/// Bisects on the logarithm of the rate. `power`: of the original's answers (answer_power()). A size that cannot be met
/// gives the smallest file seen. A signal
/// (support/cancel.h) stops the search: where a network that it saw meets the budget, that is the outcome and the signal
/// counts as answered; else Code::interrupted.
Result<RateOutcome> search_rate(const AtRate &at_rate, const HeldOutJudge &judge, double power, const PassContext &context,
                                const RateRequest &request, std::size_t weights);

/// A note for each point.
void say_curve(const PassContext &context, std::string_view pass, std::span<const RatePoint> curve);

} // namespace edgec
