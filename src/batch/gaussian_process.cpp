#include "batch/gaussian_process.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace edgec {
namespace {

constexpr double noise = 1e-4; ///< of the values' variance: equal points may differ a little, and the factor exists

double covariance(const AxisDistances &apart, const std::vector<double> &weights) {
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * apart[i] * apart[i];
  return std::exp(-sum);
}

/// Solves L x = b, L a lower triangle.
std::vector<double> forward(const std::vector<double> &factor, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) b[i] -= factor[i * n + j] * b[j];
    b[i] /= factor[i * n + i];
  }
  return b;
}

/// Solves L' x = b.
std::vector<double> backward(const std::vector<double> &factor, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t j = i + 1; j < n; ++j) b[i] -= factor[j * n + i] * b[j];
    b[i] /= factor[i * n + i];
  }
  return b;
}

} // namespace

/// Factors the covariance under the weights as they are; gives the values' logarithmic likelihood.
double GaussianProcess::fit(const std::vector<std::vector<AxisDistances>> &distances,
                            const std::vector<double> &scaled) {
  const std::size_t n = scaled.size();
  factor_.assign(n * n, 0);
  double likelihood = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = covariance(distances[i][j], weights_) + (i == j ? noise : 0);
      for (std::size_t k = 0; k < j; ++k) sum -= factor_[i * n + k] * factor_[j * n + k];
      factor_[i * n + j] = i == j ? std::sqrt(std::max(sum, noise / 100)) : sum / factor_[j * n + j];
      if (i == j) likelihood -= std::log(factor_[i * n + i]);
    }
  solved_ = backward(factor_, forward(factor_, scaled));
  return likelihood - std::inner_product(scaled.begin(), scaled.end(), solved_.begin(), 0.0) / 2;
}

GaussianProcess::GaussianProcess(const std::vector<std::vector<AxisDistances>> &distances,
                                 const std::vector<double> &values) {
  const auto n = static_cast<double>(values.size());
  mean_ = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double value : values) squares += (value - mean_) * (value - mean_);
  scale_ = squares > 0 ? std::sqrt(squares / n) : 1;
  std::vector<double> scaled;
  for (const double value : values) scaled.push_back((value - mean_) / scale_);
  weights_.assign(distances.front().front().size(), 1);
  double best = fit(distances, scaled);
  for (int round = 0; round < 2; ++round)
    for (double &weight : weights_) {
      double chosen = weight;
      for (const double tried : {0.02, 0.1, 0.4, 1.0, 2.5, 6.0, 16.0}) {
        weight = tried;
        if (const double likelihood = fit(distances, scaled); likelihood > best) best = likelihood, chosen = tried;
      }
      weight = chosen;
    }
  fit(distances, scaled);
}

Predicted GaussianProcess::at(const std::vector<AxisDistances> &from_known) const {
  std::vector<double> covariances;
  for (const AxisDistances &apart : from_known) covariances.push_back(covariance(apart, weights_));
  const double mean = std::inner_product(covariances.begin(), covariances.end(), solved_.begin(), 0.0);
  const std::vector<double> known = forward(factor_, covariances);
  const double variance = 1 - std::inner_product(known.begin(), known.end(), known.begin(), 0.0);
  return {mean_ + scale_ * mean, scale_ * std::sqrt(std::max(0.0, variance))};
}

} // namespace edgec
