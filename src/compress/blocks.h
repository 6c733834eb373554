// Inputs of a layer removed block by block (a channel is a block of taps), the rest making up for them.
#pragma once

#include <span>
#include <vector>

#include "compress/refit.h"

namespace edgec {

/// Optimal brain surgeon over blocks of columns (Hassibi and Stork 1993; Frantar and Alistarh 2022, section 4,
/// "blocks"): with least squares weights for what is left, removing block c adds tr(W_c [Hinv_cc]^-1 W_c^T) to E |W y -
/// W' y|^2.
class BlockRemoval {
public:
  /// `h` [K, K]: covariance of the inputs; `damping`: share of its mean diagonal that is added.
  BlockRemoval(Matrix weights, const Matrix &h, double damping);
  /// What removing these columns now, none of which has been removed, adds to the output's error.
  [[nodiscard]] double cost(std::span<const std::size_t> columns) const;
  /// Removes them: weights and Hinv are those of the rest from now on, zero at what is gone.
  void remove(std::span<const std::size_t> columns);
  [[nodiscard]] const Matrix &weights() const { return weights_; }

private:
  Matrix weights_, inverse_;
  [[nodiscard]] Matrix block(std::span<const std::size_t> columns) const;
};

/// Weights [rows, K] that read only the `kept` columns (ascending) and come nearest to the group's weights on all of
/// the original's inputs: W_k + (W C_k - W_k H_kk) (H_kk + d mean(diag H_kk) I)^-1, zero elsewhere; d chosen as in
/// refit(), one number for the layer. Error: interrupted.
Result<Matrix> fit_columns(const FitGroup &group, std::span<const std::size_t> kept, int threads);

} // namespace edgec
