// A matrix as the product of two thin ones, chosen so that a layer's outputs suffer least.
#pragma once

#include <vector>

#include "compress/matrix.h"

namespace edgec {

struct Factors {
  Matrix out; ///< [rows, rank], columns orthonormal (or 0)
  Matrix in;  ///< [rank, K]
};

/// The eigenvalues of W H W^T, descending, min(rows, K) of them: the sum of those from the r-th on is the error
/// tr (W - V) H (W - V)^T of the best V of rank r.
std::vector<double> output_spectrum(const Matrix &weights, const Matrix &h);

/// out * in = V of rank `rank` with the least tr (W - V) H (W - V)^T: the singular value decomposition of W H^1/2
/// (Eckart and Young 1936), so that the outputs are kept and not the weights. out spans the largest principal
/// components of the outputs, in = out^T W. 1 <= rank <= min(rows, K).
Factors factorize(const Matrix &weights, const Matrix &h, std::size_t rank);

} // namespace edgec
