#include "compress/matrix.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <Eigen/Cholesky>
#include <Eigen/Core>

extern "C" void openblas_set_num_threads(int threads);

namespace edgec {
namespace {

/// Threads are ours (support/parallel.h): results must not depend on their number.
const bool one_thread = [] {
  openblas_set_num_threads(1);
  return true;
}();

template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Eigen::Map<const RowMajor<double>> view(const Matrix &m) {
  return {m.data.data(), static_cast<Eigen::Index>(m.rows), static_cast<Eigen::Index>(m.columns)};
}
Eigen::Map<RowMajor<double>> view(Matrix &m) {
  return {m.data.data(), static_cast<Eigen::Index>(m.rows), static_cast<Eigen::Index>(m.columns)};
}

/// Far below any real second moment: inputs that are always zero make H singular.
constexpr double tiny = 1e-20;

/// L L^T = h + ridge I, in the memory of its one copy of h.
class Factor {
public:
  template <class H>
  Factor(const H &h, double ridge) {
    for (ridge = std::max(ridge, tiny);; ridge *= 10) {
      memory_ = h;
      memory_.diagonal().array() += ridge;
      factor_.emplace(memory_);
      if (factor_->info() == Eigen::Success || !std::isfinite(ridge)) return;
    }
  }
  Factor(const Factor &) = delete;
  Factor &operator=(const Factor &) = delete;
  const auto *operator->() const { return &*factor_; }

private:
  Eigen::MatrixXd memory_;
  std::optional<Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>>> factor_;
};

} // namespace

Matrix product(const Matrix &a, const Matrix &b) {
  Matrix c(a.rows, b.columns);
  view(c).noalias() = view(a) * view(b);
  return c;
}

Matrix product_transposed(const Matrix &a, const Matrix &b) {
  Matrix c(a.rows, b.rows);
  view(c).noalias() = view(a) * view(b).transpose();
  return c;
}

double inner_product(const Matrix &a, const Matrix &b) { return view(a).cwiseProduct(view(b)).sum(); }

double mean_diagonal(const Matrix &h) { return h.rows == 0 ? 0.0 : view(h).trace() / static_cast<double>(h.rows); }

Matrix solve_rows(const Matrix &h, double ridge, const Matrix &b) {
  const Factor factor(view(h), ridge);
  const Eigen::MatrixXd transposed = factor->solve(view(b).transpose());
  Matrix x(b.rows, b.columns);
  view(x) = transposed.transpose();
  return x;
}

Matrix inverse_factor(Matrix h, double ridge) {
  // With the order of columns reversed H = L L^T; turned back, L is an upper triangular R with H = R R^T and U = R^-1.
  const std::size_t k = h.rows;
  const Factor factor(view(h).reverse(), ridge);
  h = {};
  Matrix u(k, k); // as columns, which are its rows
  Eigen::Map<Eigen::MatrixXd> inverted(u.data.data(), static_cast<Eigen::Index>(k), static_cast<Eigen::Index>(k));
  inverted.setIdentity();
  constexpr Eigen::Index block = 64; // columns; above their diagonal the inverse is zero
  const auto size = static_cast<Eigen::Index>(k);
  for (Eigen::Index from = 0; from < size; from += block) {
    const Eigen::Index rest = size - from;
    auto columns = inverted.block(from, from, rest, std::min(block, rest));
    factor->matrixLLT().bottomRightCorner(rest, rest).triangularView<Eigen::Lower>().solveInPlace(columns);
  }
  std::ranges::reverse(u.data);
  for (std::size_t row = 0; row < k; ++row)
    for (std::size_t column = 0; column < row; ++column) std::swap(u(row, column), u(column, row));
  return u;
}

PartSolution solve_part(const Matrix &h, double ridge, std::span<const std::size_t> part, std::span<const double> b,
                        bool want_inverse) {
  if (part.empty()) return {};
  const auto size = static_cast<Eigen::Index>(part.size());
  Eigen::MatrixXd block(size, size);
  Eigen::VectorXd right(size);
  for (Eigen::Index i = 0; i < size; ++i) {
    const std::size_t from = part[static_cast<std::size_t>(i)];
    right(i) = b[from];
    for (Eigen::Index j = 0; j < size; ++j) block(j, i) = h(from, part[static_cast<std::size_t>(j)]);
  }
  const Factor factor(block, ridge);
  const Eigen::VectorXd x = factor->solve(right);
  PartSolution solution{{x.begin(), x.end()}, {}};
  if (!want_inverse) return solution;
  Eigen::MatrixXd inverted = Eigen::MatrixXd::Identity(size, size);
  factor->matrixL().solveInPlace(inverted);
  for (Eigen::Index i = 0; i < size; ++i) solution.inverse_diagonal.push_back(inverted.col(i).squaredNorm());
  return solution;
}

PartSolution remove_part(const Matrix &g, std::span<const std::size_t> part, std::span<const std::size_t> kept,
                         std::span<const double> w, bool want_inverse) {
  const auto size = static_cast<Eigen::Index>(part.size()), left = static_cast<Eigen::Index>(kept.size());
  Eigen::MatrixXd rows(size, left), block(size, size);
  Eigen::VectorXd gone(size), x(left);
  for (Eigen::Index i = 0; i < size; ++i) {
    const std::size_t from = part[static_cast<std::size_t>(i)];
    gone(i) = w[from];
    for (Eigen::Index j = 0; j < size; ++j) block(j, i) = g(from, part[static_cast<std::size_t>(j)]);
  }
  for (Eigen::Index j = 0; j < left; ++j) {
    const std::size_t from = kept[static_cast<std::size_t>(j)];
    x(j) = w[from];
    for (Eigen::Index i = 0; i < size; ++i) rows(i, j) = g(from, part[static_cast<std::size_t>(i)]);
  }
  if (size > 0) {
    const Factor factor(block, 0);
    const Eigen::VectorXd pull = factor->solve(gone);
    x.noalias() -= rows.transpose() * pull;
    if (want_inverse) factor->matrixL().solveInPlace(rows);
  }
  PartSolution found{{x.begin(), x.end()}, {}};
  for (Eigen::Index j = 0; want_inverse && j < left; ++j) {
    const std::size_t at = kept[static_cast<std::size_t>(j)];
    found.inverse_diagonal.push_back(std::max(tiny, g(at, at) - rows.col(j).squaredNorm()));
  }
  return found;
}

Matrix inverse(const Matrix &h, double ridge) {
  const Factor factor(view(h), ridge);
  Matrix x(h.rows, h.columns);
  view(x) =
      factor->solve(Eigen::MatrixXd::Identity(static_cast<Eigen::Index>(h.rows), static_cast<Eigen::Index>(h.rows)));
  return x;
}

} // namespace edgec
