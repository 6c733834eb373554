#include "data/fractal_noise.h"

#include <algorithm>
#include <cmath>

namespace edgec {
namespace {

/// Where an element lies between the points of a coarser grid.
struct Place {
  std::size_t low;
  float share; ///< of the point above
};

/// Places of `length` elements on a grid with a point every `cell` elements, shifted at random.
std::vector<Place> places(int length, int cell, double shift) {
  std::vector<Place> found(static_cast<std::size_t>(length));
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double at = static_cast<double>(i) / cell + shift;
    const double low = std::floor(at), t = at - low;
    found[i] = {static_cast<std::size_t>(low), static_cast<float>(t * t * (3 - 2 * t))};
  }
  return found;
}

/// Stretches one axis of a row-major array to the given places.
std::vector<float> stretch(const std::vector<float> &from, std::size_t outer, std::size_t points, std::size_t inner,
                           const std::vector<Place> &to) {
  std::vector<float> out(outer * to.size() * inner);
  for (std::size_t o = 0; o < outer; ++o)
    for (std::size_t i = 0; i < to.size(); ++i) {
      const float *low = &from[(o * points + to[i].low) * inner], *high = low + inner;
      float *row = &out[(o * to.size() + i) * inner];
      for (std::size_t k = 0; k < inner; ++k) row[k] = low[k] + to[i].share * (high[k] - low[k]);
    }
  return out;
}

/// White noise on a grid with a point every `cell` elements, interpolated: unit variance on average.
std::vector<float> octave(std::span<const int> dims, int cell, Random &random) {
  std::vector<std::vector<Place>> axes;
  std::vector<std::size_t> points;
  std::size_t count = 1;
  for (const int length : dims) {
    axes.push_back(places(length, cell, cell > 1 ? random.uniform() : 0));
    points.push_back(axes.back().empty() ? 1 : axes.back().back().low + 2);
    count *= points.back();
  }
  std::vector<float> grid(count);
  for (float &value : grid) value = static_cast<float>(random.normal());
  std::size_t outer = 1, inner = count;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    inner /= points[a];
    grid = stretch(grid, outer, points[a], inner, axes[a]);
    outer *= axes[a].size();
  }
  return grid;
}

} // namespace

std::vector<float> fractal_noise(std::span<const int> dims, Random &random) {
  int cell = 1;
  std::size_t count = 1;
  for (const int length : dims) {
    count *= static_cast<std::size_t>(length);
    while (cell < length) cell *= 2;
  }
  std::vector<float> field(count, 0.0F);
  for (; count > 0 && cell >= 1; cell /= 2) {
    const std::vector<float> more = octave(dims, cell, random);
    for (std::size_t i = 0; i < count; ++i) field[i] += more[i];
  }
  double sum = 0, squares = 0;
  for (const float v : field) sum += v;
  const double mean = sum / static_cast<double>(std::max<std::size_t>(count, 1));
  for (const float v : field) squares += (v - mean) * (v - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(std::max<std::size_t>(count, 1)));
  for (float &v : field) v = deviation > 0 ? static_cast<float>((v - mean) / deviation) : 0;
  return field;
}

} // namespace edgec
