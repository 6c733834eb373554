#include "measure/confidence.h"

#include <algorithm>
#include <cmath>

namespace edgec {
namespace {

/// P(X <= most) of a binomial variable.
double binomial_cdf(std::size_t most, std::size_t count, double p) {
  const auto n = static_cast<double>(count);
  double sum = 0;
  for (std::size_t i = 0; i <= most; ++i) {
    const auto k = static_cast<double>(i);
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(p) +
                    (n - k) * std::log1p(-p));
  }
  return sum;
}

} // namespace

double upper_share(std::size_t differing, std::size_t count) {
  constexpr double unlikely = 0.05;
  if (differing >= count) return 1;
  double low = static_cast<double>(differing) / static_cast<double>(count), high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (binomial_cdf(differing, count, middle) > unlikely ? low : high) = middle;
  }
  return high;
}

double upper_loss(std::size_t lost, std::size_t gained, std::size_t count) {
  constexpr double z = 1.6448536269514722; // of 95 %
  if (count == 0) return 1;
  const double n = static_cast<double>(count) + 2;
  const double l = (static_cast<double>(lost) + 0.5) / n, g = (static_cast<double>(gained) + 0.5) / n;
  return std::min(1.0, l - g + z * std::sqrt((l + g - (l - g) * (l - g)) / n));
}

} // namespace edgec
