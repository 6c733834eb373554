#include "compress/grid.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "support/parallel.h"
#include "support/vectorize.h"

namespace edgec {
namespace {

/// Numbers that are looked at side by side.
constexpr std::size_t lanes = 16;
using Lanes = std::array<float, lanes>;

[[gnu::always_inline]] inline float limited(float x, float low, float high) {
  return x < low ? low : x > high ? high : x;
}

/// One block, a scale and a zero point: the centred codes' products with numbers and with themselves, and the error.
struct BlockFit {
  float error = 0, along = 0, power = 0;
};

[[gnu::always_inline]] inline float sum(const Lanes &values) {
  float total = 0;
  for (const float value : values) total += value;
  return total;
}

/// `count` numbers, padded with zeros that weigh nothing to a multiple of `lanes`.
struct PaddedBlock {
  std::vector<float> x, weight;
};

EDGEC_VECTOR_CLONES BlockFit fit_block(const float *x, const float *weight, std::size_t padded, float scale, float low,
                                       float high) {
  Lanes error{}, along{}, power{};
  const float reciprocal = 1 / scale;
  for (std::size_t i = 0; i < padded; i += lanes)
    for (std::size_t l = 0; l < lanes; ++l) {
      const float q = limited(__builtin_nearbyintf(x[i + l] * reciprocal), low, high);
      const float left = x[i + l] - q * scale, w = weight[i + l];
      error[l] += w * left * left;
      along[l] += w * q * x[i + l];
      power[l] += w * q * q;
    }
  return {sum(error), sum(along), sum(power)};
}

struct Step {
  float scale = 1;
  std::int32_t zero = 0;
};

/// That reaches from the least to the most.
Step range_step(float least, float most, NumberSpec number) {
  if (number.symmetric) {
    const float scale = std::max(-least, most) / static_cast<float>(number.high());
    return {scale >= std::numeric_limits<float>::min() ? scale : 1.0F, 0};
  }
  const float low = std::min(least, 0.0F), high = std::max(most, 0.0F);
  const float scale = (high - low) / static_cast<float>(number.high());
  if (!(scale >= std::numeric_limits<float>::min())) return {1.0F, 0};
  const float zero = std::nearbyint(-low / scale);
  return {scale, static_cast<std::int32_t>(limited(zero, 0, static_cast<float>(number.high())))};
}

/// The best step of one block.
class StepSearch {
public:
  StepSearch(std::span<const float> numbers, std::span<const float> weights, NumberSpec number, PaddedBlock &room)
      : number_(number), room_(room) {
    const std::size_t padded = (numbers.size() + lanes - 1) / lanes * lanes;
    room_.x.assign(padded, 0.0F);
    room_.weight.assign(padded, 0.0F);
    std::ranges::copy(numbers, room_.x.begin());
    for (std::size_t i = 0; i < numbers.size(); ++i) room_.weight[i] = weights.empty() ? 1.0F : weights[i];
    const auto [least, most] = std::ranges::minmax(numbers);
    best_ = first_ = range_step(least, most, number);
    error_ = fit(first_).error;
  }

  Step run() {
    constexpr int tries = 25;
    constexpr float least = 0.5F;
    for (int i = 1; i <= tries; ++i)
      take({first_.scale * (1 - static_cast<float>(i) * (1 - least) / tries), first_.zero});
    if (!number_.symmetric)
      for (const std::int32_t zero : {best_.zero - 1, best_.zero + 1})
        if (zero >= number_.low() && zero <= number_.high()) take({best_.scale, zero});
    for (int i = 0; i < 2; ++i) {
      const BlockFit found = fit(best_);
      if (found.power > 0 && found.along > 0) take({found.along / found.power, best_.zero});
    }
    return best_;
  }

private:
  NumberSpec number_;
  PaddedBlock &room_;
  Step first_, best_;
  float error_;

  [[nodiscard]] BlockFit fit(const Step &step) const {
    return fit_block(room_.x.data(), room_.weight.data(), room_.x.size(), step.scale,
                     static_cast<float>(number_.low() - step.zero), static_cast<float>(number_.high() - step.zero));
  }
  void take(const Step &step) {
    if (!(step.scale >= std::numeric_limits<float>::min())) return;
    const float error = fit(step).error;
    if (error < error_) best_ = step, error_ = error;
  }
};

/// A span of a line's numbers that share a step.
std::span<const float> block_of(std::span<const float> line, const Grid &grid, std::size_t block) {
  const std::size_t first = block * grid.block;
  return line.subspan(first, std::min(grid.block, line.size() - first));
}

// ---- second order: sixteen lines at a time, columns in the metric's order

struct Tile {
  std::size_t columns, blocks;
  std::vector<Lanes> target, work, codes, gradient; // [K][lanes]; codes are centred
  std::vector<Lanes> scale, low, high;              // [blocks][lanes]
  std::vector<std::size_t> block;                   // of each column

  Tile(std::size_t k, std::size_t n)
      : columns(k), blocks(n), target(k), work(k), codes(k), gradient(k), scale(n), low(n), high(n), block(k) {}
};

[[gnu::always_inline]] inline float nearest(float x, float scale, float low, float high) {
  return limited(__builtin_nearbyintf(x / scale), low, high);
}

/// GPTQ: each column is rounded in turn, the ones after it make up for its error.
EDGEC_VECTOR_CLONES void carry_errors(Tile &tile, const float *factor, bool fixed_zeros) {
  const std::size_t k = tile.columns;
  tile.work = tile.target;
  for (std::size_t j = 0; j < k; ++j) {
    const Lanes &scale = tile.scale[tile.block[j]], &low = tile.low[tile.block[j]], &high = tile.high[tile.block[j]];
    Lanes error;
    for (std::size_t l = 0; l < lanes; ++l) {
      float code = nearest(tile.work[j][l], scale[l], low[l], high[l]);
      if (fixed_zeros && tile.target[j][l] == 0) code = 0;
      tile.codes[j][l] = code;
      error[l] = tile.work[j][l] - code * scale[l];
    }
    const float *row = factor + j * k;
    for (std::size_t c = j + 1; c < k; ++c)
      for (std::size_t l = 0; l < lanes; ++l) tile.work[c][l] -= error[l] * row[c];
  }
}

/// gradient = (target - reals) H.
EDGEC_VECTOR_CLONES void measure(Tile &tile, const float *h) {
  const std::size_t k = tile.columns;
  std::fill(tile.gradient.begin(), tile.gradient.end(), Lanes{});
  for (std::size_t j = 0; j < k; ++j) {
    const Lanes &scale = tile.scale[tile.block[j]];
    Lanes left;
    for (std::size_t l = 0; l < lanes; ++l) left[l] = tile.target[j][l] - tile.codes[j][l] * scale[l];
    const float *row = h + j * k;
    for (std::size_t c = 0; c < k; ++c)
      for (std::size_t l = 0; l < lanes; ++l) tile.gradient[c][l] += left[l] * row[c];
  }
}

/// One sweep over the codes; false when nothing moved.
EDGEC_VECTOR_CLONES bool descend(Tile &tile, const float *h, bool fixed_zeros) {
  const std::size_t k = tile.columns;
  bool moved = false;
  for (std::size_t j = 0; j < k; ++j) {
    const float curvature = h[j * k + j];
    if (!(curvature > 0)) continue;
    const Lanes &scale = tile.scale[tile.block[j]], &low = tile.low[tile.block[j]], &high = tile.high[tile.block[j]];
    Lanes delta;
    float any = 0;
    for (std::size_t l = 0; l < lanes; ++l) {
      const float old = tile.codes[j][l];
      float code = nearest(old * scale[l] + tile.gradient[j][l] / curvature, scale[l], low[l], high[l]);
      if (fixed_zeros && tile.target[j][l] == 0) code = 0;
      delta[l] = (code - old) * scale[l];
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

/// The scale of each block in turn: s + (w - s q) H q / (q H q), q being the block's codes and 0 elsewhere.
EDGEC_VECTOR_CLONES void fit_scales(Tile &tile, const float *h, std::span<const std::vector<std::size_t>> members) {
  constexpr float most = 0.1F; // of the scale
  const std::size_t k = tile.columns;
  for (std::size_t b = 0; b < tile.blocks; ++b) {
    Lanes along{}, power{}, change;
    for (const std::size_t i : members[b]) {
      Lanes reached{};
      for (const std::size_t j : members[b])
        for (std::size_t l = 0; l < lanes; ++l) reached[l] += tile.codes[j][l] * h[i * k + j];
      for (std::size_t l = 0; l < lanes; ++l) {
        along[l] += tile.codes[i][l] * tile.gradient[i][l];
        power[l] += tile.codes[i][l] * reached[l];
      }
    }
    for (std::size_t l = 0; l < lanes; ++l) {
      const float limit = most * tile.scale[b][l];
      change[l] = power[l] > 0 ? limited(along[l] / power[l], -limit, limit) : 0.0F;
      tile.scale[b][l] += change[l];
    }
    for (const std::size_t i : members[b]) {
      const float *row = h + i * k;
      Lanes delta;
      for (std::size_t l = 0; l < lanes; ++l) delta[l] = change[l] * tile.codes[i][l];
      for (std::size_t c = 0; c < k; ++c)
        for (std::size_t l = 0; l < lanes; ++l) tile.gradient[c][l] -= delta[l] * row[c];
    }
  }
}

} // namespace

Grid::Grid(std::size_t rows, std::size_t columns, std::size_t wanted)
    : block(wanted == 0 ? std::max<std::size_t>(columns, 1) : wanted),
      blocks(std::max<std::size_t>((columns + block - 1) / block, 1)), scales(rows * blocks, 1.0F),
      zeros(rows * blocks, 0) {}

Grid range_grid(const Lines &lines, NumberSpec number, std::size_t block) {
  Grid grid(lines.rows, lines.columns, block);
  for (std::size_t i = 0; i < grid.scales.size(); ++i) {
    const auto numbers = block_of(lines.row(i / grid.blocks), grid, i % grid.blocks);
    const auto [least, most] = std::ranges::minmax(numbers);
    const Step step = range_step(least, most, number);
    grid.scales[i] = step.scale, grid.zeros[i] = step.zero;
  }
  return grid;
}

Grid searched_grid(const Lines &lines, NumberSpec number, std::size_t block, std::span<const float> weights,
                   int threads) {
  Grid grid(lines.rows, lines.columns, block);
  constexpr std::size_t together = 16;
  const Status status =
      parallel_for((lines.rows + together - 1) / together, threads, [&](std::size_t part, int) -> Status {
        PaddedBlock room;
        for (std::size_t row = part * together; row < std::min(lines.rows, (part + 1) * together); ++row)
          for (std::size_t b = 0; b < grid.blocks; ++b) {
            const auto share = weights.empty() ? weights : block_of(weights, grid, b);
            const Step step = StepSearch(block_of(lines.row(row), grid, b), share, number, room).run();
            grid.scales[row * grid.blocks + b] = step.scale, grid.zeros[row * grid.blocks + b] = step.zero;
          }
        return {};
      });
  return status ? grid : range_grid(lines, number, block); // interrupted: the caller looks for that itself
}

std::vector<std::int16_t> codes_on_grid(const Lines &lines, const Grid &grid, NumberSpec number) {
  std::vector<std::int16_t> codes(lines.data.size());
  for (std::size_t row = 0; row < lines.rows; ++row)
    for (std::size_t k = 0; k < lines.columns; ++k) {
      const std::size_t at = grid.of(row, k), i = row * lines.columns + k;
      const float code = std::nearbyint(lines.data[i] / grid.scales[at]) + static_cast<float>(grid.zeros[at]);
      codes[i] =
          static_cast<std::int16_t>(limited(code, static_cast<float>(number.low()), static_cast<float>(number.high())));
    }
  return codes;
}

std::vector<float> reals_on_grid(std::span<const std::int16_t> codes, const Grid &grid, std::size_t columns) {
  std::vector<float> reals(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t at = grid.of(i / columns, i % columns);
    reals[i] = static_cast<float>(codes[i] - grid.zeros[at]) * grid.scales[at];
  }
  return reals;
}

Result<std::vector<std::int16_t>> round_on_grid(const Lines &lines, Grid &grid, NumberSpec number,
                                                const RoundingMetric &metric, int sweeps, int threads,
                                                bool fixed_zeros) {
  constexpr int scale_fits = 2;
  const std::size_t k = lines.columns;
  std::vector<std::vector<std::size_t>> members(grid.blocks);
  for (std::size_t j = 0; j < k; ++j) members[metric.order[j] / grid.block].push_back(j);
  std::vector<std::int16_t> codes(lines.data.size());
  EDGEC_CHECK(parallel_for((lines.rows + lanes - 1) / lanes, threads, [&](std::size_t group, int) -> Status {
    const std::size_t first = group * lanes, count = std::min(lanes, lines.rows - first);
    Tile tile(k, grid.blocks);
    for (std::size_t j = 0; j < k; ++j) {
      tile.block[j] = metric.order[j] / grid.block;
      for (std::size_t l = 0; l < count; ++l) tile.target[j][l] = lines.data[(first + l) * k + metric.order[j]];
      for (std::size_t l = count; l < lanes; ++l) tile.target[j][l] = 0;
    }
    for (std::size_t b = 0; b < grid.blocks; ++b)
      for (std::size_t l = 0; l < lanes; ++l) {
        const std::size_t at = (first + std::min(l, count - 1)) * grid.blocks + b;
        tile.scale[b][l] = grid.scales[at];
        tile.low[b][l] = static_cast<float>(number.low() - grid.zeros[at]);
        tile.high[b][l] = static_cast<float>(number.high() - grid.zeros[at]);
      }
    carry_errors(tile, metric.factor.data(), fixed_zeros);
    for (int fit = 0; fit <= scale_fits; ++fit) {
      if (fit > 0) fit_scales(tile, metric.h.data(), members);
      measure(tile, metric.h.data()); // anew: what was added up piece by piece has drifted
      for (int sweep = 0; sweep < sweeps && descend(tile, metric.h.data(), fixed_zeros); ++sweep) {
      }
    }
    for (std::size_t l = 0; l < count; ++l) {
      for (std::size_t b = 0; b < grid.blocks; ++b) grid.scales[(first + l) * grid.blocks + b] = tile.scale[b][l];
      for (std::size_t j = 0; j < k; ++j) {
        const std::size_t column = metric.order[j];
        codes[(first + l) * k + column] =
            static_cast<std::int16_t>(tile.codes[j][l] + static_cast<float>(grid.zeros[grid.of(first + l, column)]));
      }
    }
    return {};
  }));
  return codes;
}

} // namespace edgec
