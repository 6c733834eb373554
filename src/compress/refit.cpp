#include "compress/refit.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <optional>

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

/// Rows that decide on the damping: it is one number, and a product with H costs as many multiplications a row.
constexpr std::size_t judging_rows = 64;

Matrix some_rows(const Matrix &weights) {
  if (weights.rows <= judging_rows) return weights;
  Matrix some(judging_rows, weights.columns);
  for (std::size_t i = 0; i < judging_rows; ++i)
    std::ranges::copy(weights.row(i * weights.rows / judging_rows), some.row(i).begin());
  return some;
}

/// Errors on one fold of fits to the other, summed over folds and groups, for one damping after another.
class DampingSearch {
public:
  DampingSearch(std::span<const FitGroup> groups, int threads)
      : groups_(groups), threads_(threads), weights_(groups.size()), parts_(2 * groups.size()) {}

  /// The errors have one valley: downhill from where it is most often, the cheaper way first.
  Result<double> best() {
    std::ranges::transform(groups_, weights_.begin(), [](const FitGroup &group) { return some_rows(group.weights); });
    EDGEC_CHECK(each_task(
        [&](std::size_t task) { parts_[task].emplace(weights_[task / 2], groups_[task / 2].folds[task % 2]); }));
    std::size_t place = dampings.size() - 2;
    EDGEC_ASSIGN(double least, error(place));
    for (const int step : {1, -1}) {
      const std::size_t start = place;
      for (std::size_t next = place + static_cast<std::size_t>(step); next < dampings.size();
           next += static_cast<std::size_t>(step)) {
        EDGEC_ASSIGN(const double found, error(next));
        if (!(found < least)) break;
        least = found;
        place = next;
      }
      if (place != start) break;
    }
    return dampings[place];
  }

private:
  std::span<const FitGroup> groups_;
  int threads_;
  std::vector<Matrix> weights_;            // of each group, or some rows
  std::vector<std::optional<Part>> parts_; // of each group, its first fold and its second

  template <class Task>
  Status each_task(Task &&task) {
    return parallel_for(parts_.size(), threads_, [&](std::size_t i, int) -> Status {
      task(i);
      return {};
    });
  }

  Result<double> error(std::size_t place) {
    std::vector<double> errors(parts_.size());
    EDGEC_CHECK(each_task([&](std::size_t i) {
      const Part &here = *parts_[i], &other = *parts_[i ^ 1U];
      errors[i] = other.error(here.fit(weights_[i / 2], dampings[place]));
    }));
    return std::accumulate(errors.begin(), errors.end(), 0.0); // in order
  }
};

} // namespace

double output_error(const Matrix &fitted, const Matrix &weights, const Covariance &moments) {
  return Part(weights, moments).error(fitted);
}

Matrix refit(const Matrix &weights, const Covariance &moments, double damping) {
  return Part(weights, moments).fit(weights, damping);
}

Result<Refit> refit(std::span<const FitGroup> groups, int threads) {
  const bool folded = std::ranges::all_of(groups, [](const FitGroup &group) { return group.folds.size() >= 2; });
  Refit result{std::vector<Matrix>(groups.size()), plain_damping};
  if (folded) {
    EDGEC_ASSIGN(result.damping, DampingSearch(groups, threads).best());
  }
  EDGEC_CHECK(parallel_for(groups.size(), threads, [&](std::size_t g, int) -> Status {
    result.weights[g] = Part(groups[g].weights, groups[g].all).fit(groups[g].weights, result.damping);
    return {};
  }));
  return result;
}

} // namespace edgec
