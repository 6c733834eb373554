#include "compress/rate_distortion.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numeric>

#include "support/parallel.h"
#include "support/vectorize.h"

namespace edgec {
namespace {

constexpr double damping = 0.01; // of H's mean diagonal
constexpr double largest_code = 127, roomy_code = 118;
constexpr std::size_t lanes = 16;
using Lanes = std::array<float, lanes>;
/// Bits of a code by its magnitude, sign included.
using Prices = std::array<float, 128>;
using Counts = std::array<double, 128>;

/// H of a group prepared for carrying errors: columns in descending order of its diagonal.
struct Metric {
  std::vector<std::size_t> order;
  std::vector<float> factor;    // rows of U divided by their diagonal
  std::vector<float> weight;    // 1 / U_jj^2: squared error that an error in column j leaves when the rest makes up for it
  double mean_weight = 0;       // of 1 / [H^-1]_jj

  explicit Metric(const Matrix &h) : order(h.rows), factor(h.rows * h.rows), weight(h.rows) {
    const std::size_t k = h.rows;
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return h(i, i); });
    Matrix ordered(k, k);
    for (std::size_t i = 0; i < k; ++i)
      for (std::size_t j = 0; j < k; ++j) ordered(i, j) = h(order[i], order[j]);
    const Matrix u = inverse_factor(ordered, damping * mean_diagonal(h) + 1e-8);
    for (std::size_t i = 0; i < k; ++i) {
      weight[i] = static_cast<float>(1 / (u(i, i) * u(i, i)));
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

/// The cheapest of the candidates: `x` is the weight in steps, `error_price` what a squared step costs in bits.
[[gnu::always_inline]] inline float choose(float x, float error_price, const float *prices) {
  const float magnitude = x < 0 ? -x : x;
  float nearest = __builtin_nearbyintf(magnitude);
  nearest = nearest > 127.0F ? 127.0F : nearest;
  float best = 0, least = magnitude * magnitude * error_price + prices[0];
  for (int back = 2; back >= 0; --back) {
    float candidate = nearest - static_cast<float>(back);
    candidate = candidate < 0 ? 0.0F : candidate;
    const float error = magnitude - candidate;
    const float cost = error * error * error_price + prices[static_cast<int>(candidate)];
    const bool better = cost <= least;
    best = better ? candidate : best;
    least = better ? cost : least;
  }
  return x < 0 ? -best : best;
}

EDGEC_VECTOR_CLONES void round_tile(Tile &tile, const float *factor, const float *weight, float inverse_lambda, const float *prices) {
  const std::size_t k = tile.columns;
  for (std::size_t j = 0; j < k; ++j) {
    Lanes error;
    for (std::size_t l = 0; l < lanes; ++l) {
      const float price = weight[j] * tile.scale[l] * tile.scale[l] * inverse_lambda;
      const float code = choose(tile.work[j][l] * tile.reciprocal[l], price, prices);
      tile.codes[j][l] = code;
      error[l] = tile.work[j][l] - code * tile.scale[l];
    }
    const float *row = factor + j * k;
    for (std::size_t c = j + 1; c < k; ++c)
      for (std::size_t l = 0; l < lanes; ++l) tile.work[c][l] -= error[l] * row[c];
  }
}

/// Prices of codes as often as `counts` saw them, smoothed by the two-sided geometric distribution of the same mean.
Prices prices_of(const Counts &counts) {
  double total = 0, sum = 0;
  for (std::size_t a = 0; a < counts.size(); ++a) total += counts[a], sum += counts[a] * static_cast<double>(a);
  const double mean = (sum + 0.5) / (total + 1), ratio = mean / (1 + mean);
  constexpr double prior = 4;
  Prices prices;
  for (std::size_t a = 0; a < counts.size(); ++a) {
    const double expected = (1 - ratio) * std::pow(ratio, static_cast<double>(a));
    const double probability = (counts[a] + prior * expected + 1e-6) / (total + prior + 1e-4);
    prices[a] = static_cast<float>(-std::log2(probability) + (a > 0 ? 1.0 : 0.0));
  }
  return prices;
}

double row_peak(const Matrix &weights, std::size_t row) {
  double peak = 0;
  for (const double w : weights.row(row)) peak = std::max(peak, std::abs(w));
  return peak;
}

class Rounder {
public:
  Rounder(std::span<const RateGroup> groups, const RateOptions &options) : groups_(groups), options_(options) {
    metrics_.resize(groups.size());
    const Status done = parallel_for(groups.size(), options.threads, [&](std::size_t g, int) -> Status {
      metrics_[g] = std::make_unique<Metric>(groups[g].h);
      return {};
    });
    if (!done) // interrupted: what follows must still be whole
      for (std::size_t g = 0; g < groups.size(); ++g)
        if (!metrics_[g]) metrics_[g] = std::make_unique<Metric>(groups[g].h);
    choose_scales();
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (std::size_t row = 0; row < groups[g].weights.rows; row += lanes) tiles_.push_back({g, row});
  }

  RatedCodes run() {
    Prices prices{};
    for (int pass = 0; pass < options_.passes; ++pass) {
      const Counts counts = round_all(prices, pass == 0);
      prices = prices_of(counts);
      result_.bits = 0;
      for (std::size_t a = 0; a < counts.size(); ++a) result_.bits += counts[a] * static_cast<double>(prices[a]);
    }
    return std::move(result_);
  }

private:
  struct Place {
    std::size_t group, row;
  };
  std::span<const RateGroup> groups_;
  const RateOptions &options_;
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
    const double base = step_of(mean);
    std::size_t first = 0;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const Matrix &weights = groups_[g].weights;
      first_row_.push_back(first);
      int grid = 0; // of 2^(1/4)
      if (groups_.size() > 1) grid = static_cast<int>(std::lround(4 * std::log2(step_of(metrics_[g]->mean_weight) / base)));
      for (std::size_t row = 0; row < weights.rows; ++row) {
        const std::size_t number = first + row;
        const double least = std::max(row_peak(weights, row) / roomy_code,
                                      options_.least_scales.empty() ? 0.0 : static_cast<double>(options_.least_scales[number]));
        int more = grid;
        while (base * std::exp2(more / 4.0) < least) more += 2;
        result_.scales.push_back(static_cast<float>(base * std::exp2(more / 4.0)));
      }
      first += weights.rows;
    }
    result_.codes.resize(first * groups_[0].weights.columns);
  }

  Counts round_all(const Prices &prices, bool nearest) {
    std::vector<Counts> counts(tiles_.size(), Counts{});
    const Status done = parallel_for(tiles_.size(), options_.threads, [&](std::size_t t, int) -> Status {
      round_one(tiles_[t], prices, nearest, counts[t]);
      return {};
    });
    Counts all{};
    if (!done) return all;
    for (const Counts &each : counts)
      for (std::size_t a = 0; a < all.size(); ++a) all[a] += each[a];
    return all;
  }

  void round_one(Place place, const Prices &prices, bool nearest, Counts &counts) {
    const Matrix &weights = groups_[place.group].weights;
    const Metric &metric = *metrics_[place.group];
    const std::size_t k = weights.columns, count = std::min(lanes, weights.rows - place.row);
    const std::size_t first = first_row_[place.group] + place.row;
    Tile tile(k);
    for (std::size_t l = 0; l < lanes; ++l) {
      tile.scale[l] = l < count ? result_.scales[first + l] : 1.0F;
      tile.reciprocal[l] = 1 / tile.scale[l];
      for (std::size_t j = 0; j < k; ++j)
        tile.work[j][l] = l < count ? static_cast<float>(weights(place.row + l, metric.order[j])) : 0.0F;
    }
    // Without prices any error decides: the nearest code wins.
    const float inverse_lambda = nearest ? 1.0F : static_cast<float>(1 / options_.lambda);
    round_tile(tile, metric.factor.data(), metric.weight.data(), inverse_lambda, prices.data());
    for (std::size_t l = 0; l < count; ++l)
      for (std::size_t j = 0; j < k; ++j) {
        const auto code = static_cast<std::int8_t>(tile.codes[j][l]);
        result_.codes[(first + l) * k + metric.order[j]] = code;
        counts[static_cast<std::size_t>(std::abs(int{code}))] += 1;
      }
  }
};

} // namespace

RatedCodes round_for_rate(std::span<const RateGroup> groups, const RateOptions &options) { return Rounder(groups, options).run(); }

} // namespace edgec
