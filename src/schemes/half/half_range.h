// What half precision holds: float16 ends at 65504 and has 11 bits down to 6.1e-5, bfloat16 8 bits of what float32
// reaches (IEEE 754 binary16; the upper half of binary32).
#pragma once

#include <string>

#include "calibrate/statistics.h"
#include "ir/tensor.h"

namespace edgec {

/// Why a half type does not hold a number or some.
struct HalfMisfit {
  std::string why;       ///< "holds 1e-12, of which float16 makes 0"; empty: it holds them
  bool overflow = false; ///< what comes of them may be as large

  explicit operator bool() const { return !why.empty(); }
};

/// Of a float32 constant: one finite element would become infinite, or so much is lost that rounding cannot be the
/// reason: what is small beside the smallest number that has all digits.
HalfMisfit half_misfit(const Tensor &constant, DType dtype);

/// Of a value of which these ranges were seen: it comes nearer to the end than a factor of 2, which is left for what
/// other samples give, or is all below the smallest number that has all digits.
HalfMisfit half_misfit(const ValueStatistics &seen, DType dtype);

} // namespace edgec
