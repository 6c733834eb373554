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
/// tile.error: what is left, (W - Q) H (W - Q)^T with the damped H.
EDGEC_VECTOR_CLONES void carry_errors(Tile &tile, const float *factor, const float *weight, float limit,
                                      bool fixed_zeros) {
  const std::size_t k = tile.columns;
  tile.work = tile.target;
  tile.error = {};
  for (std::size_t j = 0; j < k; ++j) {
    Lanes error;
    for (std::size_t l = 0; l < lanes; ++l) {
      float code = code_of(tile.work[j][l] * tile.reciprocal[l], limit);
      if (fixed_zeros && tile.target[j][l] == 0) code = 0;
      tile.codes[j][l] = code;
      error[l] = tile.work[j][l] - code * tile.scale[l];
      tile.error[l] += error[l] * error[l] * weight[j];
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
  carry_errors(tile, metric.factor.data(), metric.weight.data(), limit, fixed_zeros);
  measure(tile, metric.h.data());
  for (int sweep = 0; sweep < options.sweeps && descend(tile, metric.h.data(), limit, fixed_zeros); ++sweep) {
  }
  sum_error(tile);
}

/// Rows of more columns have their scale chosen by GPTQ's error alone; coordinate descent then works on the best.
constexpr std::size_t few_columns = 160;

/// Times that a searched scale is fitted to its codes and the codes to it.
constexpr int scale_fits = 2;

void set_scales(Tile &tile, const Lanes &scales) {
  tile.scale = scales;
  for (std::size_t l = 0; l < lanes; ++l) tile.reciprocal[l] = 1 / scales[l];
}

/// The scale of each lane that fits its codes best: s + (w - s q) H q / (q H q). tile.gradient holds (w - s q) H.
EDGEC_VECTOR_CLONES Lanes fitted_scales(Tile &tile, const float *h) {
  constexpr float most = 0.1F; // of the scale
  const std::size_t k = tile.columns;
  std::fill(tile.work.begin(), tile.work.end(), Lanes{});
  for (std::size_t j = 0; j < k; ++j) {
    const float *row = h + j * k;
    for (std::size_t c = 0; c < k; ++c)
      for (std::size_t l = 0; l < lanes; ++l) tile.work[c][l] += tile.codes[j][l] * row[c];
  }
  Lanes missing{}, power{}, scales;
  for (std::size_t j = 0; j < k; ++j)
    for (std::size_t l = 0; l < lanes; ++l) {
      missing[l] += tile.gradient[j][l] * tile.codes[j][l];
      power[l] += tile.work[j][l] * tile.codes[j][l];
    }
  for (std::size_t l = 0; l < lanes; ++l) {
    const float change = power[l] > 0 ? missing[l] / power[l] : 0;
    scales[l] = tile.scale[l] + std::clamp(change, -most * tile.scale[l], most * tile.scale[l]);
  }
  return scales;
}

/// The scale of each lane with the least error.
Lanes best_scales(Tile &tile, const Lanes &scales, const RoundingMetric &metric, const RoundingOptions &options,
                  bool fixed_zeros) {
  if (options.scale_factors.size() < 2) return scales;
  Lanes least, best = scales;
  least.fill(std::numeric_limits<float>::infinity());
  for (const double factor : options.scale_factors) {
    Lanes tried;
    for (std::size_t l = 0; l < lanes; ++l) tried[l] = static_cast<float>(scales[l] * factor);
    set_scales(tile, tried);
    if (tile.columns <= few_columns)
      round_tile(tile, metric, options, fixed_zeros);
    else
      carry_errors(tile, metric.factor.data(), metric.weight.data(), static_cast<float>(options.levels), fixed_zeros);
    for (std::size_t l = 0; l < lanes; ++l)
      if (tile.error[l] < least[l]) least[l] = tile.error[l], best[l] = tried[l];
  }
  return best;
}

} // namespace

RoundingMetric::RoundingMetric(Matrix h_, double damping) : order(h_.rows), mean(mean_diagonal(h_)) {
  const std::size_t k = h_.rows;
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return h_(i, i); });
  Matrix ordered(k, k);
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < k; ++j) ordered(i, j) = h_(order[i], order[j]);
  h_ = {};
  h.assign(ordered.data.begin(), ordered.data.end());
  const Matrix u = inverse_factor(std::move(ordered), damping * mean);
  factor.resize(k * k);
  weight.resize(k);
  for (std::size_t i = 0; i < k; ++i) weight[i] = static_cast<float>(1 / (u(i, i) * u(i, i)));
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = i; j < k; ++j) factor[i * k + j] = static_cast<float>(u(i, j) / u(i, i));
}

Result<std::vector<std::int8_t>> round_rows(const Matrix &weights, std::vector<float> &scales,
                                            const RoundingMetric &metric, const RoundingOptions &options,
                                            bool fixed_zeros) {
  const std::size_t k = weights.columns, rows = weights.rows;
  std::vector<std::int8_t> codes(rows * k);
  EDGEC_CHECK(parallel_for((rows + lanes - 1) / lanes, options.threads, [&](std::size_t number, int) -> Status {
    const std::size_t first = number * lanes, count = std::min(lanes, rows - first);
    const auto limit = static_cast<float>(options.levels);
    Tile tile(k);
    for (std::size_t j = 0; j < k; ++j)
      for (std::size_t l = 0; l < lanes; ++l)
        tile.target[j][l] = l < count ? static_cast<float>(weights(first + l, metric.order[j])) : 0.0F;
    Lanes first_scales;
    for (std::size_t l = 0; l < lanes; ++l) first_scales[l] = l < count ? scales[first + l] : 1.0F;
    set_scales(tile, best_scales(tile, first_scales, metric, options, fixed_zeros));
    round_tile(tile, metric, options, fixed_zeros);
    for (int fit = 0; fit < scale_fits && options.scale_factors.size() > 1; ++fit) {
      set_scales(tile, fitted_scales(tile, metric.h.data()));
      measure(tile, metric.h.data());
      for (int sweep = 0; sweep < options.sweeps && descend(tile, metric.h.data(), limit, fixed_zeros); ++sweep) {
      }
    }
    for (std::size_t l = 0; l < count; ++l) {
      scales[first + l] = tile.scale[l];
      for (std::size_t j = 0; j < k; ++j)
        codes[(first + l) * k + metric.order[j]] = static_cast<std::int8_t>(tile.codes[j][l]);
    }
    return {};
  }));
  return codes;
}

} // namespace edgec
