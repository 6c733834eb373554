#include "compress/sharing.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "compress/rounding.h"
#include "support/parallel.h"
#include "support/vectorize.h"

namespace edgec {
namespace {

constexpr double damping = 0.01; // share of H's mean diagonal
constexpr double values_damping = 1e-4;
constexpr int rounds = 4, lloyd_steps = 40, sweeps = 3;

using Codes = std::vector<std::uint8_t>;

/// A group's weights with its columns in the order of its metric.
struct Part {
  RoundingMetric metric;
  Matrix weights;
  Mask kept;
  Codes codes; // [rows, K], ordered

  Part(const Matrix &w, const Matrix &h, const Mask *mask) : metric(h, damping), weights(w), codes(w.data.size()) {
    if (mask != nullptr) kept = *mask;
    for (std::size_t i = 0; i < w.rows; ++i)
      for (std::size_t j = 0; j < w.columns; ++j) {
        weights(i, j) = w(i, metric.order[j]);
        if (mask != nullptr) kept[i * w.columns + j] = (*mask)[i * w.columns + metric.order[j]];
      }
  }
  [[nodiscard]] bool free(std::size_t place) const { return kept.empty() || kept[place] != 0; }
};

std::uint8_t nearest(std::span<const float> values, float x) {
  const auto above = std::ranges::lower_bound(values, x);
  if (above == values.begin()) return 0;
  const auto index = static_cast<std::size_t>(above - values.begin());
  if (above == values.end() || x - values[index - 1] <= *above - x) return static_cast<std::uint8_t>(index - 1);
  return static_cast<std::uint8_t>(index);
}

using Numbers = std::vector<std::pair<float, double>>; // each with a weight

Numbers weighted_numbers(std::span<const Part> parts) {
  Numbers numbers;
  for (const Part &part : parts)
    for (std::size_t i = 0; i < part.weights.data.size(); ++i)
      if (part.free(i)) {
        const std::size_t j = i % part.weights.columns;
        const double weight =
            static_cast<double>(part.metric.h[j * part.weights.columns + j]) + 0.01 * part.metric.mean + 1e-20;
        numbers.emplace_back(static_cast<float>(part.weights.data[i]), weight);
      }
  return numbers;
}

/// Lloyd's algorithm on numbers with weights; starts where the density's cube root has its quantiles, so that the large
/// ones are not forgotten.
std::vector<float> weighted_kmeans(Numbers numbers, std::size_t count, bool keep_zero) {
  std::ranges::sort(numbers);
  const std::size_t free = keep_zero ? count - 1 : count;
  std::vector<float> centres;
  if (!numbers.empty()) {
    // A cube root of the density spreads centres as the least squared error asks for (Panter and Dite 1951).
    constexpr std::size_t bins = 2048;
    const double low = static_cast<double>(numbers.front().first), high = static_cast<double>(numbers.back().first);
    const double width = std::max((high - low) / bins, 1e-30);
    std::vector<double> mass(bins);
    for (const auto &[x, weight] : numbers)
      mass[std::min(bins - 1, static_cast<std::size_t>((static_cast<double>(x) - low) / width))] += weight;
    for (double &m : mass) m = std::cbrt(m);
    const double all = std::accumulate(mass.begin(), mass.end(), 0.0);
    double seen = 0;
    for (std::size_t b = 0; b < bins; ++b) {
      seen += mass[b];
      while (centres.size() < free &&
             seen >= all * (static_cast<double>(centres.size()) + 0.5) / static_cast<double>(free))
        centres.push_back(static_cast<float>(low + (static_cast<double>(b) + 0.5) * width));
    }
  }
  if (keep_zero) centres.push_back(0);
  std::ranges::sort(centres);
  for (int step = 0; step < lloyd_steps; ++step) {
    std::vector<double> sum(centres.size()), weight(centres.size());
    std::size_t c = 0;
    for (const auto &[x, w] : numbers) {
      while (c + 1 < centres.size() && std::abs(x - centres[c + 1]) < std::abs(x - centres[c])) ++c;
      sum[c] += w * static_cast<double>(x);
      weight[c] += w;
    }
    for (std::size_t i = 0; i < centres.size(); ++i)
      if (weight[i] > 0 && !(keep_zero && centres[i] == 0)) centres[i] = static_cast<float>(sum[i] / weight[i]);
    std::ranges::sort(centres);
  }
  return centres;
}

EDGEC_VECTOR_CLONES void subtract(float *__restrict to, const float *from, float factor, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] -= factor * from[i];
}

void assign_row(Part &part, std::size_t row, std::span<const float> values, std::uint8_t zero) {
  const std::size_t k = part.weights.columns;
  const auto target = part.weights.row(row);
  std::uint8_t *codes = &part.codes[row * k];
  std::vector<float> work(target.begin(), target.end());
  for (std::size_t j = 0; j < k; ++j) {
    codes[j] = part.free(row * k + j) ? nearest(values, work[j]) : zero;
    const float error = work[j] - values[codes[j]];
    subtract(&work[j] + 1, &part.metric.factor[j * k + j] + 1, error, k - j - 1);
  }
}

/// Coordinate descent on the indices: each weight in turn takes the value that is best given all others.
void descend_row(Part &part, std::size_t row, std::span<const float> values) {
  const std::size_t k = part.weights.columns;
  std::uint8_t *codes = &part.codes[row * k];
  std::vector<float> gradient(k); // (target - values) H
  for (std::size_t j = 0; j < k; ++j)
    subtract(gradient.data(), &part.metric.h[j * k], values[codes[j]] - static_cast<float>(part.weights(row, j)), k);
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    bool moved = false;
    for (std::size_t j = 0; j < k; ++j) {
      const float curvature = part.metric.h[j * k + j];
      if (!(curvature > 0) || !part.free(row * k + j)) continue;
      const std::uint8_t code = nearest(values, values[codes[j]] + gradient[j] / curvature);
      if (code == codes[j]) continue;
      subtract(gradient.data(), &part.metric.h[j * k], values[code] - values[codes[j]], k);
      codes[j] = code;
      moved = true;
    }
    if (!moved) break;
  }
}

Status assign(std::span<Part> parts, std::span<const float> values, bool carry, int threads) {
  std::vector<std::pair<std::size_t, std::size_t>> rows;
  for (std::size_t p = 0; p < parts.size(); ++p)
    for (std::size_t r = 0; r < parts[p].weights.rows; ++r) rows.emplace_back(p, r);
  const std::uint8_t zero = nearest(values, 0);
  return parallel_for(rows.size(), threads, [&](std::size_t i, int) -> Status {
    const auto [p, row] = rows[i];
    if (carry) assign_row(parts[p], row, values, zero);
    descend_row(parts[p], row, values);
    return {};
  });
}

/// Adds what the parts say of the values.
Status add_equations(std::span<const Part> parts, Matrix &all, int threads) {
  const std::size_t count = all.rows;
  constexpr std::size_t chunk = 16; // rows whose sums are made together
  std::vector<std::pair<std::size_t, std::size_t>> chunks;
  for (std::size_t p = 0; p < parts.size(); ++p)
    for (std::size_t r = 0; r < parts[p].weights.rows; r += chunk) chunks.emplace_back(p, r);
  std::vector<Matrix> sums(chunks.size());
  EDGEC_CHECK(parallel_for(chunks.size(), threads, [&](std::size_t number, int) -> Status {
    const auto [p, first] = chunks[number];
    const Part &part = parts[p];
    const std::size_t k = part.weights.columns;
    Matrix &sum = sums[number];
    sum = Matrix(count, count + 1);
    for (std::size_t row = first; row < std::min(first + chunk, part.weights.rows); ++row) {
      const std::uint8_t *codes = &part.codes[row * k];
      for (std::size_t j = 0; j < k; ++j) {
        const float *h = &part.metric.h[j * k];
        const auto into = sum.row(codes[j]);
        double with_target = 0;
        for (std::size_t c = 0; c < k; ++c) {
          into[codes[c]] += static_cast<double>(h[c]);
          with_target += static_cast<double>(h[c]) * part.weights(row, c);
        }
        into[count] += with_target;
      }
    }
    return {};
  }));
  for (const Matrix &sum : sums)
    for (std::size_t i = 0; i < sum.data.size(); ++i) all.data[i] += sum.data[i];
  return {};
}

/// Values with the least error for given indices: (sum P^T H P) v = sum P^T H w. A ridge holds values that hardly
/// anything rests on where they are.
void move_values(const Matrix &sums, std::vector<float> &values, bool keep_zero) {
  const std::size_t count = values.size();
  Matrix left(count, count), right(1, count);
  for (std::size_t a = 0; a < count; ++a) {
    for (std::size_t b = 0; b < count; ++b) left(a, b) = sums(a, b);
    right(0, a) = sums(a, count);
  }
  const double ridge = values_damping * mean_diagonal(left);
  for (std::size_t a = 0; a < count; ++a) {
    for (std::size_t b = 0; b < count; ++b) right(0, a) -= left(a, b) * static_cast<double>(values[b]);
  }
  std::vector<std::size_t> part;
  for (std::size_t a = 0; a < count; ++a)
    if (!(keep_zero && values[a] == 0)) part.push_back(a);
  const PartSolution step = solve_part(left, ridge, part, right.row(0), false);
  for (std::size_t i = 0; i < part.size(); ++i) values[part[i]] += static_cast<float>(step.x[i]);
}

Status fit_values(std::span<const Part> parts, std::vector<float> &values, bool keep_zero, int threads) {
  Matrix sums(values.size(), values.size() + 1);
  EDGEC_CHECK(add_equations(parts, sums, threads));
  move_values(sums, values, keep_zero);
  return {};
}

/// Ascending values, each once, and codes to fit.
void sort_values(std::span<Part> parts, std::vector<float> &values) {
  std::vector<float> sorted = values;
  std::ranges::sort(sorted);
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<std::uint8_t> place;
  for (const float v : values)
    place.push_back(static_cast<std::uint8_t>(std::ranges::lower_bound(sorted, v) - sorted.begin()));
  for (Part &part : parts)
    for (std::uint8_t &code : part.codes) code = place[code];
  values = std::move(sorted);
}

/// Codes of a part as its weights lie.
Codes unordered(const Part &part) {
  Codes codes(part.codes.size());
  const std::size_t k = part.weights.columns;
  for (std::size_t i = 0; i < part.weights.rows; ++i)
    for (std::size_t j = 0; j < k; ++j) codes[i * k + part.metric.order[j]] = part.codes[i * k + j];
  return codes;
}

/// Sum over free weights of H_jj (w - scale * nearest value)^2.
double diagonal_error(std::span<const Part> parts, std::span<const float> values, double scale) {
  double error = 0;
  for (const Part &part : parts)
    for (std::size_t i = 0; i < part.weights.data.size(); ++i) {
      if (!part.free(i)) continue;
      const std::size_t j = i % part.weights.columns;
      const double value =
          static_cast<double>(values[nearest(values, static_cast<float>(part.weights.data[i] / scale))]);
      const double off = part.weights.data[i] - scale * value;
      error += static_cast<double>(part.metric.h[j * part.weights.columns + j]) * off * off;
    }
  return error;
}

/// The scale of a codebook whose values were made for numbers of rms 1: searched around the weights' rms.
double best_scale(std::span<const Part> parts, std::span<const float> values) {
  double power = 0, count = 0;
  for (const Part &part : parts)
    for (const double w : part.weights.data) power += w * w, count += w != 0 ? 1 : 0;
  const double rms = std::sqrt(power / std::max(count, 1.0));
  if (!(rms > 0)) return 1;
  double best = rms, least = diagonal_error(parts, values, rms);
  for (double factor = 0.5; factor < 2; factor *= 1.06) {
    const double error = diagonal_error(parts, values, factor * rms);
    if (error < least) least = error, best = factor * rms;
  }
  return best;
}

} // namespace

void ValueEquations::add(const ValueEquations &other, double weight) {
  for (std::size_t i = 0; i < sums.data.size(); ++i) sums.data[i] += weight * other.sums.data[i];
}

std::vector<float> first_values(std::span<const float> numbers, int bits, bool keep_zero) {
  Numbers weighted;
  for (const float x : numbers)
    if (!keep_zero || x != 0) weighted.emplace_back(x, 1.0);
  std::vector<float> values = weighted_kmeans(std::move(weighted), std::size_t{1} << bits, keep_zero);
  values.erase(std::ranges::unique(values).begin(), values.end());
  return values;
}

Result<CodedLayer> fit_codes(std::span<const Matrix> weights, std::span<const FitGroup> groups,
                             std::span<const Mask> kept, std::span<const float> values, int threads) {
  std::vector<Part> parts;
  for (std::size_t g = 0; g < weights.size(); ++g)
    parts.emplace_back(weights[g], groups[g].all.h, kept.empty() ? nullptr : &kept[g]);
  CodedLayer coded{static_cast<float>(best_scale(parts, values)), {}, ValueEquations(values.size())};
  for (Part &part : parts)
    for (double &w : part.weights.data) w /= static_cast<double>(coded.scale);
  EDGEC_CHECK(assign(parts, values, true, threads));
  EDGEC_CHECK(add_equations(parts, coded.equations.sums, threads));
  for (const Part &part : parts) coded.codes.push_back(unordered(part));
  return coded;
}

std::vector<float> solve_values(const ValueEquations &equations, std::vector<float> values, bool keep_zero) {
  move_values(equations.sums, values, keep_zero);
  std::ranges::sort(values);
  values.erase(std::ranges::unique(values).begin(), values.end());
  return values;
}

Result<SharedWeights> fit_codebook(std::span<const Matrix> weights, std::span<const FitGroup> groups,
                                   std::span<const Mask> kept, int bits, int threads) {
  std::vector<Part> parts;
  bool keep_zero = false;
  for (std::size_t g = 0; g < weights.size(); ++g) {
    parts.emplace_back(weights[g], groups[g].all.h, kept.empty() ? nullptr : &kept[g]);
    keep_zero = keep_zero || std::ranges::count(parts.back().kept, 0) > 0;
  }
  SharedWeights shared;
  shared.values = weighted_kmeans(weighted_numbers(parts), std::size_t{1} << bits, keep_zero);
  sort_values(parts, shared.values);
  for (int round = 0; round < rounds; ++round) {
    EDGEC_CHECK(assign(parts, shared.values, round == 0, threads));
    EDGEC_CHECK(fit_values(parts, shared.values, keep_zero, threads));
    sort_values(parts, shared.values);
  }
  for (const Part &part : parts) shared.codes.push_back(unordered(part));
  return shared;
}

} // namespace edgec
