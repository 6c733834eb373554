// Magnitude pruning: the smallest weights become zero.
#pragma once

#include <cstddef>
#include <span>

namespace edgec {

/// Sets the smallest in magnitude of all numbers of all tensors together to zero, so that exactly round(ratio * count)
/// of them are zero (more only where more were zero before). Among equal magnitudes the first goes first, tensors in
/// their order. Returns how many are zero. 0 <= ratio <= 1; the numbers are not NaNs. One tensor in the list: its own
/// share; all of a network: one threshold for all (Han et al. 2015).
std::size_t prune_magnitude(std::span<const std::span<float>> tensors, double ratio);

} // namespace edgec
