// Values that 8 bits hold too coarsely for what reads them: scores with a mask before a Softmax, the squares and
// variances of a normalization, what goes into a power or a quotient.
#pragma once

#include <string>
#include <vector>

#include "calibrate/statistics.h"
#include "schemes/int8/placement.h"

namespace edgec {

struct CoarseValue {
  ValueId value;
  std::string node; ///< that computes it
  std::string why;
};

/// Judges each value that `plan` makes codes of by what its readers do with the error: on a few calibration samples the
/// operators behind it, over the next layers with weights as far as those behind them (a normalization there brings
/// small errors out), run once more on the reals of its codes alone. Where several values' errors together leave less
/// than 25 dB at the end of such a way, the worst stay float; so do, below 31 dB, those that only other operators read
/// and give.
/// A final Softmax makes more of errors than the scores that answers are read from: of its shares 15 dB have to stay.
Result<std::vector<CoarseValue>> find_coarse_values(const Graph &graph, const Int8Plan &plan, const Job &job);

/// Values that `plan` makes codes of, in which calibration saw infinities or that are constants with such: a mask
/// before a Softmax. Codes hold none.
std::vector<CoarseValue> find_infinite_values(const Graph &graph, const Int8Plan &plan,
                                              const RangeStatistics &statistics);

} // namespace edgec
