#include "train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace edgec {

void Optimizer::step(std::span<float> values, std::span<const float> gradients, double rate) {
  if (descent_ == Descent::adam)
    step_adam(values, gradients, rate);
  else
    step_sgd(values, gradients, rate);
}

void Optimizer::step_sgd(std::span<float> values, std::span<const float> gradients, double rate) {
  constexpr float keeps = 0.9F;
  for (std::size_t i = 0; i < values.size(); ++i) {
    moments_.mean[i] = keeps * moments_.mean[i] + gradients[i];
    values[i] -= static_cast<float>(pace(i) * pace(i) * rate * static_cast<double>(moments_.mean[i]));
  }
}

void Optimizer::step_adam(std::span<float> values, std::span<const float> gradients, double rate) {
  constexpr double keeps_mean = 0.9, keeps_square = 0.999, epsilon = 1e-8;
  moments_.mean_left *= keeps_mean;
  moments_.square_left *= keeps_square;
  const double of_mean = 1 / (1 - moments_.mean_left), of_square = 1 / (1 - moments_.square_left);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double g = gradients[i], m = keeps_mean * moments_.mean[i] + (1 - keeps_mean) * g,
                 v = keeps_square * moments_.square[i] + (1 - keeps_square) * g * g;
    moments_.mean[i] = static_cast<float>(m);
    moments_.square[i] = static_cast<float>(v);
    values[i] -= static_cast<float>(pace(i) * rate * m * of_mean / (std::sqrt(v * of_square) + epsilon));
  }
}

double scheduled_rate(double rate, std::size_t step, std::size_t steps) {
  const double warm = std::max(1.0, 0.05 * static_cast<double>(steps)), at = static_cast<double>(step);
  if (at < warm) return rate * (at + 1) / warm;
  const double share = (at - warm) / std::max(1.0, static_cast<double>(steps) - warm);
  return rate * 0.5 * (1 + std::cos(std::numbers::pi * share));
}

} // namespace edgec
