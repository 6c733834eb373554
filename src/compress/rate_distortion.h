// Weights as integer codes chosen by what they cost in a file and what they cost the network's outputs.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compress/matrix.h"
#include "support/result.h"

namespace edgec {

/// Output channels that read the same inputs.
struct RateGroup {
  Matrix weights; ///< [rows, K]
  Matrix h;       ///< covariance of their inputs
};

struct RateRounding {
  double lambda = 0; ///< squared error of the layer's outputs (per position, summed over rows) that a bit may cost
  double step_constant = 8; ///< c of step = sqrt(c lambda / m), m the mean of 1 / [H^-1]_jj
  int refinements = 2;      ///< of coordinate descent, each with prices learnt anew; 0: to nearest
  std::size_t taps = 1;     ///< columns of a row that belong to one input channel lie side by side
  int threads = 1;
  std::vector<float> least_scales; ///< of each row, or empty: scales may not be smaller
  int levels = 127;                ///< the largest code
};

struct RatedCodes {
  std::vector<std::int8_t> codes; ///< [rows, K], group after group
  std::vector<float> scales;      ///< of each row: step * 2^(k/4)
  double bits = 0;                ///< estimate of what the codes take
  double excess =
      1; ///< mean over rows of (scale / the step of lambda)^2: far above 1 where codes of 8 bits are too few
};

/// Rounds to nearest column by column with the error carried to the columns after it (GPTQ's order and factor; Frantar
/// et al. 2022); then coordinate descent: each code becomes the nearest to what is best given all others, one or two
/// steps less, or zero, whichever has the least error + lambda * bits. Prices are learnt from the codes before, by
/// density of rows, columns and taps (codec/code_cost.h). A layer has one step, a row that would need codes beyond 118
/// (of 127) of it a multiple by a power of 2^(1/4); a group of one row (depthwise) has its own, on the same grid.
/// Error: interrupted.
Result<RatedCodes> round_for_rate(std::span<const RateGroup> groups, const RateRounding &options);

} // namespace edgec
