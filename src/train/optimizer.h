// Gradient descent on numbers: no graph.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace edgec {

/// Adam (Kingma and Ba 2015) with their constants and no weight decay, of parameters in a row.
class Adam {
public:
  /// `pace`: what the rate of each is multiplied by; empty: 1.
  explicit Adam(std::size_t count, std::span<const float> pace = {}) : pace_(pace), mean_(count), square_(count) {}
  /// values -= rate * pace * m / (sqrt(v) + 1e-8), both moments corrected for their start at 0.
  void step(std::span<float> values, std::span<const float> gradients, double rate);

private:
  std::span<const float> pace_;
  std::vector<float> mean_, square_;
  double mean_left_ = 1, square_left_ = 1; ///< what is left of the moments' first values
};

/// Up in a straight line over the first 5 % of the steps, then down to 0 along half a cosine (Loshchilov and Hutter
/// 2017).
double scheduled_rate(double rate, std::size_t step, std::size_t steps);

} // namespace edgec
