#include "compress/refit.h"

#include <algorithm>
#include <array>
#include <limits>

#include "support/parallel.h"

namespace edgec {
namespace {

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr std::array dampings{0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, infinite};
constexpr double plain_damping = 0.1;

/// What fits to the moments of one part of the samples share.
struct Part {
  const Covariance &moments;
  Matrix wc;   // W C
  Matrix pull; // W (C - H)

  Part(const Matrix &weights, const Covariance &m) : moments(m), wc(product(weights, moments.c)), pull(wc) {
    const Matrix wh = product(weights, moments.h);
    for (std::size_t i = 0; i < pull.data.size(); ++i) pull.data[i] -= wh.data[i];
  }

  [[nodiscard]] Matrix fit(const Matrix &weights, double damping) const {
    if (damping == infinite) return weights;
    Matrix fitted = solve_rows(moments.h, damping * mean_diagonal(moments.h), pull);
    for (std::size_t i = 0; i < fitted.data.size(); ++i) fitted.data[i] += weights.data[i];
    return fitted;
  }

  [[nodiscard]] double error(const Matrix &fitted) const {
    return inner_product(fitted, product(fitted, moments.h)) - 2 * inner_product(fitted, wc);
  }
};

/// Errors on one fold of fits to the other, by damping, over all groups.
using Errors = std::array<double, dampings.size()>;

/// Rows that decide on the damping: it is one number, and a product with H costs as many multiplications a row.
constexpr std::size_t judging_rows = 64;

Matrix some_rows(const Matrix &weights) {
  if (weights.rows <= judging_rows) return weights;
  Matrix some(judging_rows, weights.columns);
  for (std::size_t i = 0; i < judging_rows; ++i)
    std::ranges::copy(weights.row(i * weights.rows / judging_rows), some.row(i).begin());
  return some;
}

double best_damping(std::span<const FitGroup> groups, int threads) {
  // One task a fit where there is one group, else one a group: in both cases summed in order.
  std::vector<Errors> errors(2 * groups.size());
  const auto fill = [&](std::size_t task, std::size_t first, std::size_t last) {
    const FitGroup &group = groups[task / 2];
    const Matrix weights = some_rows(group.weights);
    const Part here(weights, group.folds[task % 2]), there(weights, group.folds[1 - task % 2]);
    for (std::size_t i = first; i < last; ++i) errors[task][i] = there.error(here.fit(weights, dampings[i]));
  };
  const bool few = groups.size() < 4;
  const std::size_t tasks = few ? errors.size() * dampings.size() : errors.size();
  const Status done = parallel_for(tasks, threads, [&](std::size_t task, int) -> Status {
    if (few) fill(task / dampings.size(), task % dampings.size(), task % dampings.size() + 1);
    else fill(task, 0, dampings.size());
    return {};
  });
  Errors sum{};
  for (const Errors &each : errors)
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += each[i];
  return done ? dampings[static_cast<std::size_t>(std::ranges::min_element(sum) - sum.begin())] : infinite;
}

} // namespace

double output_error(const Matrix &fitted, const Matrix &weights, const Covariance &moments) {
  return Part(weights, moments).error(fitted);
}

Matrix refit(const Matrix &weights, const Covariance &moments, double damping) {
  return Part(weights, moments).fit(weights, damping);
}

Refit refit(std::span<const FitGroup> groups, int threads) {
  const bool folded = std::ranges::all_of(groups, [](const FitGroup &group) { return group.folds.size() >= 2; });
  Refit result{std::vector<Matrix>(groups.size()), folded ? best_damping(groups, threads) : plain_damping};
  const Status done = parallel_for(groups.size(), threads, [&](std::size_t g, int) -> Status {
    result.weights[g] = Part(groups[g].weights, groups[g].all).fit(groups[g].weights, result.damping);
    return {};
  });
  for (std::size_t g = 0; !done && g < groups.size(); ++g) result.weights[g] = groups[g].weights;
  return result;
}

} // namespace edgec
