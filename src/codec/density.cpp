#include "codec/density.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

namespace edgec {
namespace {

constexpr double levels_an_octave = 1.0;

/// Sums of magnitudes along each axis.
struct Sums {
  std::vector<std::uint64_t> rows, columns, taps;
};

Sums sum_magnitudes(std::span<const std::int8_t> codes, const CodeShape &shape) {
  Sums sums{std::vector<std::uint64_t>(shape.rows), std::vector<std::uint64_t>(shape.columns),
            std::vector<std::uint64_t>(shape.taps)};
  const std::size_t width = shape.columns * shape.taps;
  std::vector<std::uint32_t> places(width); // below 2^32: rows are added in batches
  constexpr std::size_t batch = std::size_t{1} << 24;
  const auto flush = [&] {
    for (std::size_t c = 0, j = 0; c < shape.columns; ++c)
      for (std::size_t k = 0; k < shape.taps; ++k, ++j) {
        sums.columns[c] += places[j];
        sums.taps[k] += places[j];
        places[j] = 0;
      }
  };
  for (std::size_t r = 0; r < shape.rows; ++r) {
    std::uint64_t total = 0;
    for (std::size_t j = 0; j < width; ++j) {
      const auto magnitude = static_cast<std::uint32_t>(std::abs(int{codes[r * width + j]}));
      places[j] += magnitude;
      total += magnitude;
    }
    sums.rows[r] = total;
    if (r % batch == batch - 1) flush();
  }
  flush();
  return sums;
}

std::vector<std::uint8_t> levels_of(const std::vector<std::uint64_t> &sums, double count, double mean, bool used) {
  std::vector<std::uint8_t> levels(sums.size());
  if (!used || mean == 0) return levels;
  std::vector<long> found(sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i)
    found[i] = std::lround(levels_an_octave * std::log2((static_cast<double>(sums[i]) / count + 0.1 * mean) / mean));
  const long top = *std::ranges::max_element(found);
  for (std::size_t i = 0; i < sums.size(); ++i)
    levels[i] = static_cast<std::uint8_t>(std::max(0L, level_count - 1 - (top - found[i])));
  const std::uint8_t low = *std::ranges::min_element(levels);
  for (std::uint8_t &level : levels) level = static_cast<std::uint8_t>(level - low);
  return levels;
}

} // namespace

Levels density_levels(std::span<const std::int8_t> codes, const CodeShape &shape, ClassAxes axes) {
  const Sums sums = sum_magnitudes(codes, shape);
  std::uint64_t total = 0;
  for (const std::uint64_t sum : sums.rows) total += sum;
  const auto count = static_cast<double>(shape.count());
  const double mean = static_cast<double>(total) / count;
  const auto uses = [&](ClassAxes axis) { return (static_cast<int>(axes) & static_cast<int>(axis)) != 0; };
  return {levels_of(sums.rows, count / static_cast<double>(shape.rows), mean, uses(ClassAxes::rows)),
          levels_of(sums.columns, count / static_cast<double>(shape.columns), mean, uses(ClassAxes::columns)),
          levels_of(sums.taps, count / static_cast<double>(shape.taps), mean, uses(ClassAxes::taps))};
}

std::vector<std::uint8_t> place_levels(const CodeShape &shape, const Levels &levels) {
  std::vector<std::uint8_t> places;
  places.reserve(shape.columns * shape.taps);
  for (const std::uint8_t column : levels.columns)
    for (const std::uint8_t tap : levels.taps) places.push_back(static_cast<std::uint8_t>(column + tap));
  return places;
}

std::vector<Histogram> count_by_sum(std::span<const std::int8_t> codes, const CodeShape &shape, const Levels &levels) {
  std::vector<Histogram> counts(sum_count);
  const std::vector<std::uint8_t> places = place_levels(shape, levels);
  const std::int8_t *at = codes.data();
  for (const std::uint8_t row : levels.rows)
    for (const std::uint8_t place : places)
      ++counts[static_cast<std::size_t>(row + place)][static_cast<std::size_t>(*at++ + 128)];
  return counts;
}

std::size_t sums_of(const Levels &levels) {
  std::size_t sums = 1;
  for (const auto *list : {&levels.rows, &levels.columns, &levels.taps}) sums += *std::ranges::max_element(*list);
  return sums;
}

namespace {

/// Entropy of the counts and, roughly, of their table.
double rough_bits(const Histogram &counts) {
  double total = 0, sum = 0, distinct = 0;
  for (const std::uint32_t count : counts) {
    if (count == 0) continue;
    total += count;
    sum += count * std::log2(static_cast<double>(count));
    ++distinct;
  }
  return total == 0 ? 0 : total * std::log2(total) - sum + 6 + 2 * distinct;
}

/// Entropy of the levels.
double level_bits(const std::vector<std::uint8_t> &levels) {
  std::array<double, level_count> counts{};
  for (const std::uint8_t level : levels) ++counts[level];
  if (counts[0] == static_cast<double>(levels.size())) return 0;
  double bits = 8;
  for (const double count : counts)
    if (count > 0) bits -= count * std::log2(count / static_cast<double>(levels.size()));
  return bits;
}

Histogram sum_of(const Histogram &a, const Histogram &b) {
  Histogram sum = a;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += b[i];
  return sum;
}

} // namespace

DensityClasses group_sums(std::span<const std::int8_t> codes, const CodeShape &shape, ClassAxes axes) {
  DensityClasses classes{density_levels(codes, shape, axes), {}, {}, 0};
  classes.counts = count_by_sum(codes, shape, classes.levels);
  classes.counts.resize(sums_of(classes.levels));
  std::vector<double> bits;
  std::vector<std::size_t> sizes(classes.counts.size(), 1); // sums in each class
  for (const Histogram &counts : classes.counts) bits.push_back(rough_bits(counts));
  while (bits.size() > 1) {
    std::size_t best = 0;
    double best_bits = 0, best_gain = -INFINITY;
    for (std::size_t i = 0; i + 1 < bits.size(); ++i) {
      const double merged = rough_bits(sum_of(classes.counts[i], classes.counts[i + 1]));
      const double gain = bits[i] + bits[i + 1] - merged;
      if (gain > best_gain) best = i, best_bits = merged, best_gain = gain;
    }
    if (best_gain < 0 && bits.size() <= table_count) break;
    const auto next = static_cast<std::ptrdiff_t>(best) + 1;
    classes.counts[best] = sum_of(classes.counts[best], classes.counts[best + 1]);
    bits[best] = best_bits;
    sizes[best] += sizes[best + 1];
    classes.counts.erase(classes.counts.begin() + next);
    bits.erase(bits.begin() + next);
    sizes.erase(sizes.begin() + next);
  }
  for (std::size_t i = 0; i < sizes.size(); ++i)
    classes.class_of_sum.insert(classes.class_of_sum.end(), sizes[i], static_cast<std::uint8_t>(i));
  classes.bits = std::accumulate(bits.begin(), bits.end(), 0.0);
  for (const auto *list : {&classes.levels.rows, &classes.levels.columns, &classes.levels.taps})
    classes.bits += level_bits(*list);
  return classes;
}

std::vector<ClassAxes> possible_axes(const CodeShape &shape) {
  std::vector<ClassAxes> found{ClassAxes::none};
  const bool rows = shape.rows > 1, columns = shape.columns > 1, inside = columns || shape.taps > 1;
  if (rows && inside) found.push_back(ClassAxes::rows);
  if (rows && columns) {
    found.push_back(ClassAxes::columns);
    found.push_back(ClassAxes::both);
  }
  if (rows && shape.taps > 1) found.push_back(ClassAxes::all);
  return found;
}

DensityClasses choose_classes(std::span<const std::int8_t> codes, const CodeShape &shape) {
  DensityClasses best;
  for (const ClassAxes axes : possible_axes(shape)) {
    DensityClasses classes = group_sums(codes, shape, axes);
    if (axes == ClassAxes::none || classes.bits < best.bits) best = std::move(classes);
  }
  return best;
}

} // namespace edgec
