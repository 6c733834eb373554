#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edgec {

void Adam::step(std::span<float> values, std::span<const float> gradients, double rate) {
  constexpr double keeps_mean = 0.9, keeps_square = 0.999, epsilon = 1e-8;
  mean_left_ *= keeps_mean;
  square_left_ *= keeps_square;
  const double of_mean = 1 / (1 - mean_left_), of_square = 1 / (1 - square_left_);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double g = gradients[i], m = keeps_mean * mean_[i] + (1 - keeps_mean) * g,
                 v = keeps_square * square_[i] + (1 - keeps_square) * g * g;
    mean_[i] = static_cast<float>(m);
    square_[i] = static_cast<float>(v);
    const double pace = pace_.empty() ? 1 : pace_[i];
    values[i] -= static_cast<float>(pace * rate * m * of_mean / (std::sqrt(v * of_square) + epsilon));
  }
}

double scheduled_rate(double rate, std::size_t step, std::size_t steps) {
  const double warm = std::max(1.0, 0.05 * static_cast<double>(steps)), at = static_cast<double>(step);
  if (at < warm) return rate * (at + 1) / warm;
  const double share = (at - warm) / std::max(1.0, static_cast<double>(steps) - warm);
  return rate * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

} // namespace edgec
