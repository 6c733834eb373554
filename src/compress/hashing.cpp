#include "compress/hashing.h"

#include <cmath>
#include <numeric>

namespace edgec {
namespace {

constexpr double damping = 0.01; // of H's mean diagonal
constexpr int iterations = 100;
constexpr double tolerance = 1e-5; // of the residual's norm

using Values = std::vector<double>;

double dot(const Values &a, const Values &b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

class NormalEquations {
public:
  NormalEquations(std::span<const FitGroup> groups, std::span<const std::uint32_t> slots, std::size_t count)
      : slots_(slots), count_(count) {
    for (const FitGroup &group : groups) {
      Matrix &h = metrics_.emplace_back(group.all.h);
      const double ridge = damping * mean_diagonal(h) + 1e-20;
      for (std::size_t j = 0; j < h.rows; ++j) h(j, j) += ridge;
    }
  }

  /// Sum over the groups of P^T (W H), P being who has which slot.
  [[nodiscard]] Values gathered(std::span<const Matrix> weights) const {
    Values sums(count_);
    std::size_t place = 0;
    for (std::size_t g = 0; g < weights.size(); ++g)
      for (const double x : product(weights[g], metrics_[g]).data) sums[slots_[place++]] += x;
    return sums;
  }

  [[nodiscard]] Values times(const Values &values, std::span<Matrix> room) const {
    std::size_t place = 0;
    for (Matrix &matrix : room)
      for (double &x : matrix.data) x = values[slots_[place++]];
    return gathered(room);
  }

  /// Of each slot the sum of H_jj over its weights, and 1 where there are none.
  [[nodiscard]] Values diagonal(std::span<const Matrix> weights) const {
    Values sums(count_);
    std::size_t place = 0;
    for (std::size_t g = 0; g < weights.size(); ++g)
      for (std::size_t i = 0; i < weights[g].data.size(); ++i) {
        const std::size_t j = i % weights[g].columns;
        sums[slots_[place++]] += metrics_[g](j, j);
      }
    for (double &sum : sums) sum = sum > 0 ? sum : 1;
    return sums;
  }

private:
  std::span<const std::uint32_t> slots_;
  std::size_t count_;
  std::vector<Matrix> metrics_;
};

} // namespace

std::vector<double> fit_hashed(std::span<const Matrix> weights, std::span<const FitGroup> groups,
                               std::span<const std::uint32_t> slots, std::size_t count) {
  const NormalEquations equations(groups, slots, count);
  const Values diagonal = equations.diagonal(weights);
  std::vector<Matrix> room(weights.begin(), weights.end());
  Values values(count), residual = equations.gathered(weights), scaled(count);
  const auto precondition = [&] {
    for (std::size_t i = 0; i < count; ++i) scaled[i] = residual[i] / diagonal[i];
  };
  precondition();
  Values direction = scaled;
  double energy = dot(residual, scaled);
  const double enough = energy * tolerance * tolerance;
  for (int i = 0; i < iterations && energy > enough; ++i) {
    const Values image = equations.times(direction, room);
    const double curvature = dot(direction, image);
    if (!(curvature > 0)) break;
    const double step = energy / curvature;
    for (std::size_t k = 0; k < count; ++k) values[k] += step * direction[k], residual[k] -= step * image[k];
    precondition();
    const double next = dot(residual, scaled);
    for (std::size_t k = 0; k < count; ++k) direction[k] = scaled[k] + next / energy * direction[k];
    energy = next;
  }
  return values;
}

} // namespace edgec
