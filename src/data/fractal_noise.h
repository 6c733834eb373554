// Noise whose power falls as natural signals' does: 1/f^2 along each direction.
#pragma once

#include <span>
#include <vector>

#include "support/random.h"

namespace edgec {

/// A field over `dims` (row-major), zero mean and unit variance: octaves of interpolated white noise of equal variance,
/// from cells as long as the longest dim down to single elements (amplitude ~ 1/f; Field 1987 for natural images).
/// A dim of length 1 or an empty field is allowed; a field of one element is 0.
std::vector<float> fractal_noise(std::span<const int> dims, Random &random);

} // namespace edgec
