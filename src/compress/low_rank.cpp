#include "compress/low_rank.h"

#include <Eigen/Core>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

namespace edgec {
namespace {

constexpr double negligible = 1e-12; ///< of the largest eigenvalue

Matrix transposed(const Matrix &m) {
  Matrix t(m.columns, m.rows);
  for (std::size_t i = 0; i < m.rows; ++i)
    for (std::size_t j = 0; j < m.columns; ++j) t(j, i) = m(i, j);
  return t;
}

struct Eigenpairs {
  std::vector<double> values; ///< descending, not negative
  Matrix vectors;             ///< a row each
};

Eigenpairs eigenpairs(const Matrix &symmetric) {
  const auto size = static_cast<Eigen::Index>(symmetric.rows);
  const Eigen::Map<const Eigen::MatrixXd> view(symmetric.data.data(), size, size);
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(view);
  Eigenpairs pairs{std::vector<double>(symmetric.rows), Matrix(symmetric.rows, symmetric.rows)};
  for (Eigen::Index i = 0; i < size; ++i) {
    const Eigen::Index from = size - 1 - i; // ascending there
    const auto to = static_cast<std::size_t>(i);
    pairs.values[to] = std::max(0.0, solver.eigenvalues()(from));
    std::ranges::copy(solver.eigenvectors().col(from), pairs.vectors.row(to).begin());
  }
  return pairs;
}

/// A square root R of H: H = R R^T.
Matrix square_root(const Matrix &h) {
  const Eigenpairs pairs = eigenpairs(h);
  Matrix root = transposed(pairs.vectors);
  for (std::size_t i = 0; i < root.rows; ++i)
    for (std::size_t j = 0; j < root.columns; ++j) root(i, j) *= std::sqrt(pairs.values[j]);
  return root;
}

/// Principal components of the outputs: eigenpairs of W H W^T, through the smaller of B B^T and B^T B, B = W H^1/2.
Eigenpairs principal_components(const Matrix &weights, const Matrix &h) {
  if (weights.rows <= weights.columns) return eigenpairs(product_transposed(product(weights, h), weights));
  const Matrix b = product(weights, square_root(h)), turned = transposed(b);
  Eigenpairs pairs = eigenpairs(product_transposed(turned, turned));
  Matrix vectors = product_transposed(pairs.vectors, b); // B v = s u
  for (std::size_t i = 0; i < vectors.rows; ++i) {
    const bool none = pairs.values[i] <= negligible * pairs.values[0];
    for (double &x : vectors.row(i)) x = none ? 0.0 : x / std::sqrt(pairs.values[i]);
  }
  pairs.vectors = std::move(vectors);
  return pairs;
}

} // namespace

std::vector<double> output_spectrum(const Matrix &weights, const Matrix &h) {
  return principal_components(weights, h).values;
}

Factors factorize(const Matrix &weights, const Matrix &h, std::size_t rank) {
  const Eigenpairs pairs = principal_components(weights, h);
  Matrix first(rank, weights.rows);
  std::copy_n(pairs.vectors.data.begin(), first.data.size(), first.data.begin());
  return {transposed(first), product(first, weights)};
}

} // namespace edgec
