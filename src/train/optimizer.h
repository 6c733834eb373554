// Gradient descent on numbers: no graph.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace edgec {

/// How gradients become a step. Neither has weight decay.
enum class Descent {
  adam, ///< Kingma and Ba (2015) with their constants
  sgd   ///< with momentum 0.9 (Polyak 1964)
};

/// Running means, and what is left in them of their start at 0. SGD's velocity is a mean; it has no squares.
struct GradientMoments {
  std::vector<float> mean, square;
  double mean_left = 1, square_left = 1;

  explicit GradientMoments(std::size_t count = 0) : mean(count), square(count) {}
};

/// Of parameters in a row.
class Optimizer {
public:
  /// `pace`: the unit that each is counted in; empty: 1.
  explicit Optimizer(Descent descent, GradientMoments moments, std::span<const float> pace = {})
      : descent_(descent), pace_(pace), moments_(std::move(moments)) {}
  /// Adam: values -= rate * pace * m / (sqrt(v) + 1e-8), both moments corrected for their start at 0.
  /// SGD: values -= rate * pace^2 * v, v = 0.9 v + gradient.
  void step(std::span<float> values, std::span<const float> gradients, double rate);
  [[nodiscard]] const GradientMoments &moments() const { return moments_; }

private:
  Descent descent_;
  std::span<const float> pace_;
  GradientMoments moments_;

  [[nodiscard]] double pace(std::size_t i) const { return pace_.empty() ? 1 : static_cast<double>(pace_[i]); }
  void step_adam(std::span<float> values, std::span<const float> gradients, double rate);
  void step_sgd(std::span<float> values, std::span<const float> gradients, double rate);
};

/// Up in a straight line over the first 5 % of the steps, then down to 0 along half a cosine (Loshchilov and Hutter
/// 2017).
double scheduled_rate(double rate, std::size_t step, std::size_t steps);

} // namespace edgec
