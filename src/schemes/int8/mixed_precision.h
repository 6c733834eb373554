// Mixed precision: the few values whose codes cost most of the answers get more bits.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "schemes/int8/answer_noise.h"
#include "schemes/int8/source.h"

namespace edgec {

/// The network with the first so many of the ladder's values raised, judged on samples that it was not fitted to: by
/// the metric that a budget counts, where there is one (drop_of()).
using JudgeRaised = std::function<Result<Fidelity>(std::size_t raised)>;

struct Raised {
  std::size_t count = 0; ///< of the ladder's values
  Fidelity judged;
};

/// How many of the ladder's values to raise so that no more than `max_drop` points are lost: with 95 %
/// confidence (measure/confidence.h) where the samples are enough to show that; else no more than with all raised, and
/// until raising all would gain less than 3 dB. A power of two times the first guess, or all.
Result<Raised> fewest_raised(std::span<const ValueNoise> ladder, double max_drop, const JudgeRaised &judge);

/// Whether a budget decides how many values have more than 8 bits.
bool mixes_precision(const Settings &settings);

/// Raises the values whose codes cost most of the answers until these stay: to floats, or 16 bits where those are
/// asked for. Where that is not enough, the weights whose codes cost most for their bytes stay float as well, as far as
/// the file grows little. What counts is job.evaluation where there is one, of networks that are fitted to all samples;
/// else agreement on held-out halves: then that is returned.
Result<std::optional<Fidelity>> mix_precision(Int8Source &source, const Job &job);

} // namespace edgec
