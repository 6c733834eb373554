#include "compress/blocks.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "support/parallel.h"

namespace edgec {
namespace {

constexpr std::array dampings{0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0};
constexpr double plain_damping = 0.1;

Matrix take_columns(const Matrix &m, std::span<const std::size_t> columns) {
  Matrix taken(m.rows, columns.size());
  for (std::size_t i = 0; i < m.rows; ++i)
    for (std::size_t j = 0; j < columns.size(); ++j) taken(i, j) = m(i, columns[j]);
  return taken;
}

Matrix take_rows(const Matrix &m, std::span<const std::size_t> rows) {
  Matrix taken(rows.size(), m.columns);
  for (std::size_t i = 0; i < rows.size(); ++i) std::ranges::copy(m.row(rows[i]), taken.row(i).begin());
  return taken;
}

/// One part of the samples: the fit to it, and the error of a fit on it less what no fit can change.
struct Part {
  Matrix start, h, wc; // W_k, H_kk, W C_k
  Matrix pull;         // W C_k - W_k H_kk

  Part(const Matrix &weights, const Covariance &m, std::span<const std::size_t> kept)
      : start(take_columns(weights, kept)), h(take_rows(take_columns(m.h, kept), kept)),
        wc(product(weights, take_columns(m.c, kept))), pull(wc) {
    const Matrix wh = product(start, h);
    for (std::size_t i = 0; i < pull.data.size(); ++i) pull.data[i] -= wh.data[i];
  }
  [[nodiscard]] Matrix fit(double damping) const {
    Matrix fitted = solve_rows(h, damping * mean_diagonal(h), pull);
    for (std::size_t i = 0; i < fitted.data.size(); ++i) fitted.data[i] += start.data[i];
    return fitted;
  }
  [[nodiscard]] double error(const Matrix &fitted) const {
    return inner_product(fitted, product(fitted, h)) - 2 * inner_product(fitted, wc);
  }
};

Result<double> best_damping(const FitGroup &group, std::span<const std::size_t> kept, int threads) {
  if (group.folds.size() < 2) return plain_damping;
  const Part parts[] = {{group.weights, group.folds[0], kept}, {group.weights, group.folds[1], kept}};
  std::array<double, 2 * dampings.size()> errors{};
  EDGEC_CHECK(parallel_for(errors.size(), threads, [&](std::size_t task, int) -> Status {
    const std::size_t fold = task / dampings.size();
    errors[task] = parts[1 - fold].error(parts[fold].fit(dampings[task % dampings.size()]));
    return {};
  }));
  std::size_t best = 0;
  const auto sum = [&](std::size_t i) { return errors[i] + errors[i + dampings.size()]; };
  for (std::size_t i = 1; i < dampings.size(); ++i)
    if (sum(i) < sum(best)) best = i;
  return dampings[best];
}

} // namespace

BlockRemoval::BlockRemoval(Matrix weights, const Matrix &h, double damping)
    : weights_(std::move(weights)), inverse_(inverse(h, damping * mean_diagonal(h) + 1e-12)) {}

Matrix BlockRemoval::block(std::span<const std::size_t> columns) const {
  return take_rows(take_columns(inverse_, columns), columns);
}

double BlockRemoval::cost(std::span<const std::size_t> columns) const {
  const Matrix w = take_columns(weights_, columns);
  return inner_product(solve_rows(block(columns), 0, w), w);
}

void BlockRemoval::remove(std::span<const std::size_t> columns) {
  const Matrix inner = block(columns), rows = take_rows(inverse_, columns);
  const Matrix weight_part = product(solve_rows(inner, 0, take_columns(weights_, columns)), rows);
  for (std::size_t i = 0; i < weights_.data.size(); ++i) weights_.data[i] -= weight_part.data[i];
  const Matrix inverse_part = product(solve_rows(inner, 0, take_columns(inverse_, columns)), rows);
  for (std::size_t i = 0; i < inverse_.data.size(); ++i) inverse_.data[i] -= inverse_part.data[i];
  for (const std::size_t column : columns) {
    for (std::size_t i = 0; i < weights_.rows; ++i) weights_(i, column) = 0;
    for (std::size_t i = 0; i < inverse_.rows; ++i) inverse_(i, column) = inverse_(column, i) = 0;
  }
}

Result<Matrix> fit_columns(const FitGroup &group, std::span<const std::size_t> kept, int threads) {
  Matrix result(group.weights.rows, group.weights.columns);
  if (kept.empty()) return result;
  EDGEC_ASSIGN(const double damping, best_damping(group, kept, threads));
  const Matrix fitted = Part(group.weights, group.all, kept).fit(damping);
  for (std::size_t i = 0; i < result.rows; ++i)
    for (std::size_t j = 0; j < kept.size(); ++j) result(i, kept[j]) = fitted(i, j);
  return result;
}

} // namespace edgec
