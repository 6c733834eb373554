// Gradient descent on numbers: no graph.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace edgec {

/// Running means, and what is left in them of their start at 0.
struct AdamMoments {
  std::vector<float> mean, square;
  double mean_left = 1, square_left = 1;

  explicit AdamMoments(std::size_t count = 0) : mean(count), square(count) {}
};

/// Adam (Kingma and Ba 2015) with their constants and no weight decay, of parameters in a row.
class Adam {
public:
  /// `pace`: what the rate of each is multiplied by; empty: 1.
  explicit Adam(AdamMoments moments, std::span<const float> pace = {}) : pace_(pace), moments_(std::move(moments)) {}
  /// values -= rate * pace * m / (sqrt(v) + 1e-8), both moments corrected for their start at 0.
  void step(std::span<float> values, std::span<const float> gradients, double rate);
  [[nodiscard]] const AdamMoments &moments() const { return moments_; }

private:
  std::span<const float> pace_;
  AdamMoments moments_;
};

/// Up in a straight line over the first 5 % of the steps, then down to 0 along half a cosine (Loshchilov and Hutter
/// 2017).
double scheduled_rate(double rate, std::size_t step, std::size_t steps);

} // namespace edgec
