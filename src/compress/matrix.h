// A dense row-major matrix of doubles, and the linear algebra that compression needs (Eigen on BLAS, one thread a call:
// the same numbers for any number of threads).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace edgec {

struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<double> data; ///< row-major

  Matrix() = default;
  Matrix(std::size_t r, std::size_t c) : rows(r), columns(c), data(r * c) {}
  double &operator()(std::size_t i, std::size_t j) { return data[i * columns + j]; }
  double operator()(std::size_t i, std::size_t j) const { return data[i * columns + j]; }
  [[nodiscard]] std::span<double> row(std::size_t i) { return std::span(data).subspan(i * columns, columns); }
  [[nodiscard]] std::span<const double> row(std::size_t i) const {
    return std::span(data).subspan(i * columns, columns);
  }
};

/// a b and a b^T.
Matrix product(const Matrix &a, const Matrix &b);
Matrix product_transposed(const Matrix &a, const Matrix &b);
/// The sum of a's elements times b's.
double inner_product(const Matrix &a, const Matrix &b);
/// Mean of the diagonal.
double mean_diagonal(const Matrix &h);
/// X of X (H + ridge I) = B for symmetric H >= 0; the ridge grows tenfold until the factorization succeeds.
Matrix solve_rows(const Matrix &h, double ridge, const Matrix &b);
/// Upper triangular U with (H + ridge I)^-1 = U^T U, as Frantar et al. 2022 (GPTQ) walk it; ridge as above.
Matrix inverse_factor(Matrix h, double ridge);
/// x of (H_PP + ridge I) x = b_P for a part P of the indices, ridge as above; the inverse's diagonal where wanted.
struct PartSolution {
  std::vector<double> x, inverse_diagonal;
};
PartSolution solve_part(const Matrix &h, double ridge, std::span<const std::size_t> part, std::span<const double> b,
                        bool want_inverse);
/// What is left, in the columns `kept`, of the least of (x - w) H (x - w)^T with x_P = 0 for the others: x = w - w_P
/// (G_PP)^-1 G_P for G = H^-1 (optimal brain surgeon), and where wanted the diagonal of the inverse of H without P.
PartSolution remove_part(const Matrix &g, std::span<const std::size_t> part, std::span<const std::size_t> kept,
                         std::span<const double> w, bool want_inverse);
/// (H + ridge I)^-1.
Matrix inverse(const Matrix &h, double ridge);

} // namespace edgec
