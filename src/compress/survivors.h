// Pruning by second order: which weights matter least, and what the others become without them.
#pragma once

#include <span>
#include <vector>

#include "compress/moments.h"

namespace edgec {

/// w^2 / [H^-1]_jj for each weight: what its removal costs at least when the others of its row make up for it (optimal
/// brain surgeon, Hassibi and Stork 1993). [rows * K]
std::vector<float> pruning_saliency(const Matrix &weights, const Matrix &h);

/// Weights that stay, by place: those of the largest saliency.
using Mask = std::vector<char>;
/// All but the share `ratio` of the smallest; ties are kept in order of place.
Mask keep_largest(std::span<const float> saliency, double ratio);
/// `n` of every `m` neighbours along the input channels, tap by tap (a row is channels x taps).
Mask keep_n_of_m(std::span<const float> saliency, std::size_t columns, std::size_t taps, int n, int m);

/// Each row's surviving weights fitted to the original's outputs on what the layer reads now:
/// w_S = W_S + (H_SS + d I)^-1 (W C - W_S H)_S, with d = `damping` of H's mean diagonal. Zeros elsewhere.
Matrix refit_survivors(const Matrix &weights, const Mask &keep, const Covariance &moments, double damping, int threads);

} // namespace edgec
