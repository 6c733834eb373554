// Pruning by second order: which weights go, and what the others become.
#pragma once

#include <span>
#include <vector>

#include "compress/refit.h"

namespace edgec {

/// Of weights [rows, K]: 1 where one stays, 0 where it is zero.
using Mask = std::vector<char>;

/// A layer's mask by groups; nothing of an empty one.
std::vector<Mask> split_mask(const Mask &mask, std::size_t groups);

/// What the output error E|dW y|^2 grows by when one weight goes and the others of its row make up for it:
/// w^2 / [H^-1]_jj (Hassibi and Stork 1993).
Matrix saliencies(const Matrix &weights, const Matrix &h, double damping);

/// How many of a layer's weights stay.
struct Sparsity {
  double share = 0;     ///< of zeros, over all rows together; not with n : m
  int n = 0, m = 0;     ///< n of each m along the input axis stay; 0: by share
  std::size_t taps = 1; ///< kernel elements an input channel: columns are channel by channel
};

/// Masks of groups by saliencies (or any other number that says what a weight is worth): the largest stay.
std::vector<Mask> choose_masks(std::span<const Matrix> worth, const Sparsity &sparsity);

/// Masks chosen in `steps`: after each the survivors are refit, and their saliencies measured anew given what is gone
/// already. Error: interrupted; so below.
Result<std::vector<Mask>> second_order_masks(std::span<const FitGroup> groups, const Sparsity &sparsity, int steps,
                                             int threads);

/// E|dW y|^2 of all rows when these shares (ascending) of the weights go one after the other and the survivors are
/// refit; estimated on some of the rows.
Result<std::vector<double>> loss_curve(std::span<const FitGroup> groups, std::span<const double> shares, int threads);

/// A layer's part in a network: what it loses at each share of zeros, and how many weights it has.
struct LossCurve {
  std::vector<double> losses; ///< at the common shares, losses of nothing (0) left out
  std::size_t weights = 0;
  double most = 1; ///< the share of zeros that is not to be exceeded, unless more are asked for of all layers
};
/// Shares of zeros of the layers, together `ratio` of all weights, with about the least sum of losses: everywhere the
/// next zero costs the same, where a layer may have more.
std::vector<double> share_out(std::span<const LossCurve> curves, std::span<const double> shares, double ratio);

/// Ridge regression of the survivors S of each row onto the original outputs given y,
/// W'_S = W_S + (W C - W_S H)_S (H_SS + d mean(diag H) I)^-1; all other weights are 0. The damping d as refit() chooses
/// it.
Result<Refit> refit_survivors(std::span<const FitGroup> groups, std::span<const Mask> kept, int threads);

} // namespace edgec
