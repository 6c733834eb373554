#include "compress/rate_distortion.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>

#include "codec/code_cost.h"
#include "support/parallel.h"
#include "support/vectorize.h"

namespace edgec {
namespace {

constexpr double damping = 0.01;            // of H's mean diagonal
constexpr double roomy_share = 118.0 / 127; // of the largest code that rounding before the errors may reach
constexpr double most_grid = 80;            // quarters of an octave that the steps of depthwise rows may lie apart
constexpr int descents = 2;                 // sweeps of coordinate descent with one set of prices
constexpr std::size_t lanes = 16;
using Lanes = std::array<float, lanes>;

/// The coder's prices, looked up by places of this layer.
struct Prices {
  CodePrices learnt;
  std::vector<std::uint8_t> places; ///< level of a column and its tap, by column of the weight

  Prices(std::span<const std::int8_t> codes, CodeShape shape) : learnt(learn_prices(codes, shape)) {
    for (std::size_t i = 0; i < shape.columns * shape.taps; ++i)
      places.push_back(
          static_cast<std::uint8_t>(learnt.levels.columns[i / shape.taps] + learnt.levels.taps[i % shape.taps]));
  }
};

/// Prices as one tile sees them: a table of [code + 128] for each lane and ordered column is `tables` + 256 *
/// class_of_sum[rows[lane] + places[column]].
struct TilePrices {
  const float *tables;
  const std::uint8_t *class_of_sum;
  std::array<std::uint8_t, lanes> rows{};
  std::vector<std::uint8_t> places;
};

/// H of a group prepared for carrying errors: columns in descending order of its diagonal.
struct Metric {
  std::vector<std::size_t> order;
  std::vector<float> factor; // rows of U divided by their diagonal
  std::vector<float> h;      // damped, ordered
  double mean_weight = 0;    // of 1 / [H^-1]_jj

  explicit Metric(Matrix given) : order(given.rows), factor(given.rows * given.rows) {
    const std::size_t k = given.rows;
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return given(i, i); });
    Matrix ordered(k, k);
    for (std::size_t i = 0; i < k; ++i)
      for (std::size_t j = 0; j < k; ++j) ordered(i, j) = given(order[i], order[j]);
    const double ridge = damping * mean_diagonal(given) + 1e-8;
    given = {};
    h.assign(ordered.data.begin(), ordered.data.end());
    for (std::size_t i = 0; i < k; ++i) h[i * k + i] = static_cast<float>(ordered(i, i) + ridge);
    const Matrix u = inverse_factor(std::move(ordered), ridge);
    for (std::size_t i = 0; i < k; ++i) {
      for (std::size_t j = i; j < k; ++j) factor[i * k + j] = static_cast<float>(u(i, j) / u(i, i));
    }
    for (std::size_t j = 0; j < k; ++j) {
      double variance = 0;
      for (std::size_t i = 0; i <= j; ++i) variance += u(i, j) * u(i, j);
      mean_weight += 1 / variance / static_cast<double>(k);
    }
  }
};

struct Tile {
  std::size_t columns;
  std::vector<Lanes> work, codes; // [K][lanes]
  Lanes scale{}, reciprocal{};
  explicit Tile(std::size_t k) : columns(k), work(k), codes(k) {}
};

/// The cheapest of the candidates: `x` is the weight in steps, `error_price` what a squared step costs in bits; prices
/// by code.
[[gnu::always_inline]] inline float choose(float x, float error_price, float limit, const float *prices) {
  const float magnitude = x < 0 ? -x : x;
  const int sign = x < 0 ? -1 : 1;
  float nearest = __builtin_nearbyintf(magnitude);
  nearest = nearest > limit ? limit : nearest;
  float best = 0, least = magnitude * magnitude * error_price + prices[0];
  for (int back = 2; back >= 0; --back) {
    float candidate = nearest - static_cast<float>(back);
    candidate = candidate < 0 ? 0.0F : candidate;
    const float error = magnitude - candidate;
    const float cost = error * error * error_price + prices[sign * static_cast<int>(candidate)];
    const bool better = cost <= least;
    best = better ? candidate : best;
    least = better ? cost : least;
  }
  return x < 0 ? -best : best;
}

[[gnu::always_inline]] inline float to_nearest(float x, float limit) {
  const float rounded = __builtin_nearbyintf(x);
  return rounded > limit ? limit : rounded < -limit ? -limit : rounded;
}

/// Rounds to nearest column by column, the error carried to the columns after it.
EDGEC_VECTOR_CLONES void carry_errors(Tile &tile, const float *factor, float limit) {
  const std::size_t k = tile.columns;
  for (std::size_t j = 0; j < k; ++j) {
    Lanes error;
    for (std::size_t l = 0; l < lanes; ++l) {
      tile.codes[j][l] = to_nearest(tile.work[j][l] * tile.reciprocal[l], limit);
      error[l] = tile.work[j][l] - tile.codes[j][l] * tile.scale[l];
    }
    const float *row = factor + j * k;
    for (std::size_t c = j + 1; c < k; ++c)
      for (std::size_t l = 0; l < lanes; ++l) tile.work[c][l] -= error[l] * row[c];
  }
}

/// Chooses codes anew, column by column, with those of the other columns as they are.
EDGEC_VECTOR_CLONES void descend(Tile &tile, const float *h, float inverse_lambda, float limit,
                                 const TilePrices &prices) {
  const std::size_t k = tile.columns;
  std::vector<Lanes> gradient(k);
  for (std::size_t j = 0; j < k; ++j) {
    Lanes difference;
    for (std::size_t l = 0; l < lanes; ++l) difference[l] = tile.work[j][l] - tile.codes[j][l] * tile.scale[l];
    const float *row = h + j * k;
    for (std::size_t c = 0; c < k; ++c)
      for (std::size_t l = 0; l < lanes; ++l) gradient[c][l] += difference[l] * row[c];
  }
  for (int sweep = 0; sweep < descents; ++sweep)
    for (std::size_t j = 0; j < k; ++j) {
      const float *row = h + j * k;
      const float inverse = 1 / row[j];
      Lanes delta;
      float moved = 0;
      for (std::size_t l = 0; l < lanes; ++l) {
        const float old = tile.codes[j][l], price = row[j] * tile.scale[l] * tile.scale[l] * inverse_lambda;
        const std::size_t table = prices.class_of_sum[std::size_t{prices.rows[l]} + prices.places[j]];
        const float code = choose(old + gradient[j][l] * inverse * tile.reciprocal[l], price, limit,
                                  prices.tables + 256 * table + 128);
        delta[l] = (code - old) * tile.scale[l];
        moved += code != old ? 1.0F : 0.0F;
        tile.codes[j][l] = code;
      }
      if (moved == 0) continue;
      for (std::size_t c = 0; c < k; ++c)
        for (std::size_t l = 0; l < lanes; ++l) gradient[c][l] -= delta[l] * row[c];
    }
}

double row_peak(const Matrix &weights, std::size_t row) {
  double peak = 0;
  for (const double w : weights.row(row)) peak = std::max(peak, std::abs(w));
  return peak;
}

class Rounder {
public:
  Rounder(std::span<const RateGroup> groups, const RateRounding &options)
      : groups_(groups), options_(options), metrics_(groups.size()) {}

  Result<RatedCodes> run() {
    EDGEC_CHECK(parallel_for(groups_.size(), options_.threads, [&](std::size_t g, int) -> Status {
      metrics_[g] = std::make_unique<Metric>(groups_[g].h);
      return {};
    }));
    choose_scales();
    for (std::size_t g = 0; g < groups_.size(); ++g)
      for (std::size_t row = 0; row < groups_[g].weights.rows; row += lanes) tiles_.push_back({g, row});
    const std::size_t k = groups_[0].weights.columns, taps = k % options_.taps == 0 ? options_.taps : 1;
    const CodeShape shape{result_.codes.size() / std::max<std::size_t>(k, 1), k / taps, taps};
    if (shape.count() == 0) return std::move(result_);
    EDGEC_CHECK(round_all(nullptr));
    for (int round = 0; round < options_.refinements; ++round) {
      const Prices prices(result_.codes, shape);
      EDGEC_CHECK(round_all(&prices));
    }
    result_.bits = estimated_bits(result_.codes, shape);
    return std::move(result_);
  }

private:
  struct Place {
    std::size_t group, row;
  };
  std::span<const RateGroup> groups_;
  const RateRounding &options_;
  std::vector<std::unique_ptr<Metric>> metrics_;
  std::vector<std::size_t> first_row_;
  std::vector<Place> tiles_;
  RatedCodes result_;

  [[nodiscard]] double step_of(double mean_weight) const {
    return std::sqrt(options_.step_constant * options_.lambda / std::max(mean_weight, 1e-300));
  }

  void choose_scales() {
    double mean = 0;
    for (const auto &metric : metrics_) mean += metric->mean_weight / static_cast<double>(groups_.size());
    double peak = 0;
    for (const RateGroup &group : groups_)
      for (std::size_t row = 0; row < group.weights.rows; ++row) peak = std::max(peak, row_peak(group.weights, row));
    // With a step of four times the largest weight all codes are 0; a step a millionth of it is below float's
    // precision.
    const double base = peak > 0 ? std::clamp(step_of(mean), 1e-6 * peak, 4 * peak) : 1.0;
    double excess = 0;
    std::size_t first = 0;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const Matrix &weights = groups_[g].weights;
      first_row_.push_back(first);
      int grid = 0; // of 2^(1/4)
      if (groups_.size() > 1)
        grid = static_cast<int>(
            std::lround(std::clamp(4 * std::log2(step_of(metrics_[g]->mean_weight) / base), -most_grid, most_grid)));
      for (std::size_t row = 0; row < weights.rows; ++row) {
        const std::size_t number = first + row;
        const double least =
            std::max(row_peak(weights, row) / (roomy_share * options_.levels),
                     options_.least_scales.empty() ? 0.0 : static_cast<double>(options_.least_scales[number]));
        int more = grid;
        while (base * std::exp2(more / 4.0) < least) ++more;
        result_.scales.push_back(static_cast<float>(base * std::exp2(more / 4.0)));
        excess += std::exp2((more - grid) / 2.0);
      }
      first += weights.rows;
    }
    result_.excess = excess / static_cast<double>(std::max<std::size_t>(first, 1));
    result_.codes.resize(first * groups_[0].weights.columns);
  }

  /// To nearest, or anew with prices.
  Status round_all(const Prices *prices) {
    return parallel_for(tiles_.size(), options_.threads, [&](std::size_t t, int) -> Status {
      round_one(tiles_[t], prices);
      return {};
    });
  }

  void round_one(Place place, const Prices *prices) {
    const Matrix &weights = groups_[place.group].weights;
    const Metric &metric = *metrics_[place.group];
    const std::size_t k = weights.columns, count = std::min(lanes, weights.rows - place.row);
    const std::size_t first = first_row_[place.group] + place.row;
    const auto limit = static_cast<float>(options_.levels);
    Tile tile(k);
    for (std::size_t l = 0; l < lanes; ++l) {
      tile.scale[l] = l < count ? result_.scales[first + l] : 1.0F;
      tile.reciprocal[l] = 1 / tile.scale[l];
      for (std::size_t j = 0; j < k; ++j)
        tile.work[j][l] = l < count ? static_cast<float>(weights(place.row + l, metric.order[j])) : 0.0F;
    }
    if (prices == nullptr) {
      carry_errors(tile, metric.factor.data(), limit);
    } else {
      for (std::size_t l = 0; l < count; ++l)
        for (std::size_t j = 0; j < k; ++j) tile.codes[j][l] = result_.codes[(first + l) * k + metric.order[j]];
      descend(tile, metric.h.data(), static_cast<float>(1 / options_.lambda), limit,
              prices_of(*prices, metric, first, count));
    }
    for (std::size_t l = 0; l < count; ++l)
      for (std::size_t j = 0; j < k; ++j)
        result_.codes[(first + l) * k + metric.order[j]] = static_cast<std::int8_t>(tile.codes[j][l]);
  }

  static TilePrices prices_of(const Prices &prices, const Metric &metric, std::size_t first_row, std::size_t rows) {
    TilePrices found{prices.learnt.bits.front().data(), prices.learnt.class_of_sum.data(), {}, {}};
    for (std::size_t l = 0; l < rows; ++l) found.rows[l] = prices.learnt.levels.rows[first_row + l];
    for (const std::size_t column : metric.order) found.places.push_back(prices.places[column]);
    return found;
  }
};

} // namespace

Result<RatedCodes> round_for_rate(std::span<const RateGroup> groups, const RateRounding &options) {
  return Rounder(groups, options).run();
}

} // namespace edgec
