#include "compress/rounding.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "support/parallel.h"
#include "support/vectorize.h"

namespace edgec {
namespace {

/// Rows that are rounded side by side: a vector of floats on the widest machines.
constexpr std::size_t lanes = 16;
using Lanes = std::array<float, lanes>;

struct Tile {
  std::size_t columns;
  std::vector<Lanes> target, work, codes, gradient; // [K][lanes]
  Lanes scale{}, reciprocal{}, error{};

  explicit Tile(std::size_t k) : columns(k), target(k), work(k), codes(k), gradient(k) {}
};

[[gnu::always_inline]] inline float code_of(float x, float limit) {
  const float rounded = __builtin_nearbyintf(x);
  return rounded > limit ? limit : rounded < -limit ? -limit : rounded;
}

/// GPTQ: each column is rounded in turn, the ones after it make up for its error.
EDGEC_VECTOR_CLONES void carry_errors(Tile &tile, const float *factor, float limit, bool fixed_zeros) {
  const std::size_t k = tile.columns;
  tile.work = tile.target;
  for (std::size_t j = 0; j < k; ++j) {
    Lanes error;
    for (std::size_t l = 0; l < lanes; ++l) {
      float code = code_of(tile.work[j][l] * tile.reciprocal[l], limit);
      if (fixed_zeros && tile.target[j][l] == 0) code = 0;
      tile.codes[j][l] = code;
      error[l] = tile.work[j][l] - code * tile.scale[l];
    }
    const float *row = factor + j * k;
    for (std::size_t c = j + 1; c < k; ++c)
      for (std::size_t l = 0; l < lanes; ++l) tile.work[c][l] -= error[l] * row[c];
  }
}

/// gradient = (target - codes * scale) H; error = its product with the difference.
EDGEC_VECTOR_CLONES void measure(Tile &tile, const float *h) {
  const std::size_t k = tile.columns;
  for (std::size_t j = 0; j < k; ++j)
    for (std::size_t l = 0; l < lanes; ++l) {
      tile.work[j][l] = tile.target[j][l] - tile.codes[j][l] * tile.scale[l];
      tile.gradient[j][l] = 0;
    }
  for (std::size_t j = 0; j < k; ++j) {
    const float *row = h + j * k;
    const Lanes difference = tile.work[j];
    for (std::size_t c = 0; c < k; ++c)
      for (std::size_t l = 0; l < lanes; ++l) tile.gradient[c][l] += difference[l] * row[c];
  }
}

EDGEC_VECTOR_CLONES void sum_error(Tile &tile) {
  tile.error = {};
  for (std::size_t j = 0; j < tile.columns; ++j)
    for (std::size_t l = 0; l < lanes; ++l)
      tile.error[l] += (tile.target[j][l] - tile.codes[j][l] * tile.scale[l]) * tile.gradient[j][l];
}

/// One sweep of coordinate descent; false when nothing moved.
EDGEC_VECTOR_CLONES bool descend(Tile &tile, const float *h, float limit, bool fixed_zeros) {
  const std::size_t k = tile.columns;
  bool moved = false;
  for (std::size_t j = 0; j < k; ++j) {
    const float curvature = h[j * k + j];
    if (!(curvature > 0)) continue;
    const float inverse = 1 / curvature;
    Lanes delta;
    float any = 0;
    for (std::size_t l = 0; l < lanes; ++l) {
      const float old = tile.codes[j][l];
      float code = code_of(old + tile.gradient[j][l] * inverse * tile.reciprocal[l], limit);
      if (fixed_zeros && tile.target[j][l] == 0) code = 0;
      delta[l] = (code - old) * tile.scale[l];
      any += code != old ? 1.0F : 0.0F;
      tile.codes[j][l] = code;
    }
    if (any == 0) continue;
    moved = true;
    const float *row = h + j * k;
    for (std::size_t c = 0; c < k; ++c)
      for (std::size_t l = 0; l < lanes; ++l) tile.gradient[c][l] -= delta[l] * row[c];
  }
  return moved;
}

void round_tile(Tile &tile, const RoundingMetric &metric, const RoundingOptions &options, bool fixed_zeros) {
  const auto limit = static_cast<float>(options.levels);
  carry_errors(tile, metric.factor.data(), limit, fixed_zeros);
  measure(tile, metric.h.data());
  for (int sweep = 0; sweep < options.sweeps && descend(tile, metric.h.data(), limit, fixed_zeros); ++sweep) {}
  sum_error(tile);
}

} // namespace

RoundingMetric::RoundingMetric(const Matrix &h_, double damping) : order(h_.rows), mean(mean_diagonal(h_)) {
  const std::size_t k = h_.rows;
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return h_(i, i); });
  Matrix ordered(k, k);
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < k; ++j) ordered(i, j) = h_(order[i], order[j]);
  h.assign(ordered.data.begin(), ordered.data.end());
  const Matrix u = inverse_factor(ordered, damping * mean);
  factor.resize(k * k);
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = i; j < k; ++j) factor[i * k + j] = static_cast<float>(u(i, j) / u(i, i));
}

std::vector<std::int8_t> round_rows(const Matrix &weights, std::vector<float> &scales, const RoundingMetric &metric,
                                    const RoundingOptions &options, bool fixed_zeros) {
  const std::size_t k = weights.columns, rows = weights.rows;
  std::vector<std::int8_t> codes(rows * k);
  const Status done = parallel_for((rows + lanes - 1) / lanes, options.threads, [&](std::size_t number, int) -> Status {
    const std::size_t first = number * lanes, count = std::min(lanes, rows - first);
    Tile tile(k);
    for (std::size_t j = 0; j < k; ++j)
      for (std::size_t l = 0; l < lanes; ++l)
        tile.target[j][l] = l < count ? static_cast<float>(weights(first + l, metric.order[j])) : 0.0F;
    Lanes least, best_scale{};
    least.fill(std::numeric_limits<float>::infinity());
    for (const double factor : options.scale_factors) {
      for (std::size_t l = 0; l < lanes; ++l) {
        tile.scale[l] = l < count ? static_cast<float>(scales[first + l] * factor) : 1.0F;
        tile.reciprocal[l] = 1 / tile.scale[l];
      }
      round_tile(tile, metric, options, fixed_zeros);
      for (std::size_t l = 0; l < count; ++l) {
        if (!(tile.error[l] < least[l])) continue;
        least[l] = tile.error[l];
        best_scale[l] = tile.scale[l];
        for (std::size_t j = 0; j < k; ++j)
          codes[(first + l) * k + metric.order[j]] = static_cast<std::int8_t>(tile.codes[j][l]);
      }
    }
    for (std::size_t l = 0; l < count; ++l)
      if (std::isfinite(least[l])) scales[first + l] = best_scale[l];
    return {};
  });
  (void)done; // fails only when interrupted: the caller asks again
  return codes;
}

} // namespace edgec
