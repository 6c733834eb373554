// Hashed weight sharing: the stored values that serve a layer best when a hash says who shares which.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compress/refit.h"

namespace edgec {

/// Least squares: values v with the least sum over groups of tr (W - V) H (W - V)^T, where V has v[slot] at each
/// weight's place. `weights` are those to be stood for (refit already), one matrix [rows, K] a group; `slots` are
/// theirs, group after group, below `count`. The normal equations are solved by conjugate gradients, preconditioned by
/// their diagonal: an iteration costs one product with H, memory is that of the weights. A slot without a weight gets
/// 0.
std::vector<double> fit_hashed(std::span<const Matrix> weights, std::span<const FitGroup> groups,
                               std::span<const std::uint32_t> slots, std::size_t count);

} // namespace edgec
