// Numbers for tests of second-order compression.
#pragma once

#include "compress/refit.h"
#include "support/random.h"

namespace edgec {

inline Matrix random_matrix(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Random random(seed);
  Matrix m(rows, columns);
  for (double &x : m.data) x = random.normal();
  return m;
}

/// x = y: second moments of correlated columns, far from diagonal.
inline Covariance covariance_of(std::size_t columns, std::uint64_t seed) {
  const Matrix mix = random_matrix(columns, columns + 4, seed);
  const Matrix h = product_transposed(mix, mix);
  return {1000, std::vector<double>(columns), std::vector<double>(columns), h, h};
}

inline FitGroup group_of(const Matrix &weights, std::uint64_t seed) {
  const Covariance all = covariance_of(weights.columns, seed);
  return {weights, all, {all, all}};
}

} // namespace edgec
