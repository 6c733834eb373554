// Mixed precision: the few values whose codes cost most of the answers get more bits.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "measure/fidelity.h"
#include "schemes/int8/placement.h"

namespace edgec {

/// Values of one scale, and what their codes alone do to the answers.
struct ValueNoise {
  std::vector<ValueId> values; ///< without what only moves elements of others
  std::string node;            ///< that computes the first
  double noise = 0;            ///< squared error of the answers, as a share of their power; the worst output's
};

/// Those of `plan` that lose something, the largest noise first: measured with nothing else in codes, on a few of the
/// job's samples, for each output where it is judged (find_answers()).
Result<std::vector<ValueNoise>> value_noises(const Graph &graph, const Int8Plan &plan,
                                             const std::map<ValueId, Quant> &quants, const Job &job);

/// The network with the first so many of the ladder's values raised, judged on samples that it was not fitted to.
using JudgeRaised = std::function<Result<Fidelity>(std::size_t raised)>;

struct Raised {
  std::size_t count = 0; ///< of the ladder's values
  Fidelity held_out;
};

/// How many of the ladder's values to raise so that no more than `max_drop` points of the answers change: with 95 %
/// confidence (measure/confidence.h) where the samples are enough to show that; else no more than with all raised, and
/// until raising all would gain less than 3 dB. A power of two times the first guess, or all.
Result<Raised> fewest_raised(std::span<const ValueNoise> ladder, double max_drop, const JudgeRaised &judge);

} // namespace edgec
