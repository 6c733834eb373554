// Weights fitted anew to the original layer's outputs, given the inputs that the compressed network has there.
#pragma once

#include <span>

#include "compress/moments.h"
#include "support/result.h"

namespace edgec {

struct Refit {
  std::vector<Matrix> weights; ///< of each group, [rows, K]
  double damping = 0;          ///< share of H's mean diagonal; infinity: the weights stayed
};

/// A group of a layer's output channels that read the same inputs, and what they read (one covariance a fold).
struct FitGroup {
  Matrix weights; ///< [rows, K]
  Covariance all;
  std::vector<Covariance> folds;
};

/// Ridge regression W' = W + W (C - H) (H + d mean(diag H) I)^-1 of W' y onto W x for each group. The damping d, one
/// for the layer, is chosen by two-fold cross-validation: fitted to one fold, judged by the error on the other. With
/// less than two folds d = 0.1. Error: interrupted.
Result<Refit> refit(std::span<const FitGroup> groups, int threads);

/// The fit with a given damping.
Matrix refit(const Matrix &weights, const Covariance &moments, double damping);

/// E |W' y - W x|^2 per position summed over rows, less what does not depend on W'.
double output_error(const Matrix &fitted, const Matrix &weights, const Covariance &moments);

} // namespace edgec
