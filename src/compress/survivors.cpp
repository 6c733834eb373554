#include "compress/survivors.h"

#include <algorithm>
#include <numeric>

#include "support/parallel.h"

namespace edgec {
namespace {

constexpr double inverse_damping = 0.01; // of H's mean diagonal

void fit_row(const Matrix &weights, const Matrix &wc, const Mask &keep, const Matrix &h, double ridge, std::size_t row, Matrix &fitted) {
  std::vector<std::size_t> stay;
  for (std::size_t j = 0; j < weights.columns; ++j)
    if (keep[row * weights.columns + j] != 0) stay.push_back(j);
  if (stay.empty()) return;
  std::vector<double> pull(weights.columns); // W C - W_S H
  for (const std::size_t i : stay) {
    pull[i] = wc(row, i);
    for (const std::size_t j : stay) pull[i] -= weights(row, j) * h(j, i);
  }
  const PartSolution change = solve_part(h, ridge, stay, pull, false);
  for (std::size_t i = 0; i < stay.size(); ++i) fitted(row, stay[i]) = weights(row, stay[i]) + change.x[i];
}

} // namespace

std::vector<float> pruning_saliency(const Matrix &weights, const Matrix &h) {
  const Matrix inverted = inverse(h, inverse_damping * mean_diagonal(h));
  std::vector<float> saliency(weights.data.size());
  for (std::size_t i = 0; i < saliency.size(); ++i) {
    const std::size_t j = i % weights.columns;
    saliency[i] = static_cast<float>(weights.data[i] * weights.data[i] / inverted(j, j));
  }
  return saliency;
}

Mask keep_largest(std::span<const float> saliency, double ratio) {
  Mask keep(saliency.size(), 1);
  const auto gone = static_cast<std::ptrdiff_t>(ratio * static_cast<double>(saliency.size()));
  std::vector<std::size_t> order(saliency.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::nth_element(order.begin(), order.begin() + gone, order.end(), [&](std::size_t a, std::size_t b) {
    return saliency[a] < saliency[b] || (saliency[a] == saliency[b] && a < b);
  });
  for (auto place = order.begin(); place != order.begin() + gone; ++place) keep[*place] = 0;
  return keep;
}

Mask keep_n_of_m(std::span<const float> saliency, std::size_t columns, std::size_t taps, int n, int m) {
  Mask keep(saliency.size(), 0);
  const std::size_t channels = columns / taps;
  std::vector<std::size_t> places;
  for (std::size_t row = 0; row < saliency.size() / std::max<std::size_t>(columns, 1); ++row)
    for (std::size_t tap = 0; tap < taps; ++tap)
      for (std::size_t first = 0; first < channels; first += static_cast<std::size_t>(m)) {
        places.clear();
        for (std::size_t c = first; c < std::min(channels, first + static_cast<std::size_t>(m)); ++c)
          places.push_back(row * columns + c * taps + tap);
        std::ranges::stable_sort(places, [&](std::size_t a, std::size_t b) { return saliency[a] > saliency[b]; });
        for (std::size_t i = 0; i < places.size() && i < static_cast<std::size_t>(n); ++i) keep[places[i]] = 1;
      }
  return keep;
}

Matrix refit_survivors(const Matrix &weights, const Mask &keep, const Covariance &moments, double damping, int threads) {
  Matrix fitted(weights.rows, weights.columns);
  const Matrix wc = product(weights, moments.c);
  const double ridge = damping * mean_diagonal(moments.h);
  const Status done = parallel_for(weights.rows, threads, [&](std::size_t row, int) -> Status {
    fit_row(weights, wc, keep, moments.h, ridge, row, fitted);
    return {};
  });
  (void)done; // fails only when interrupted: the caller asks again
  return fitted;
}

} // namespace edgec
