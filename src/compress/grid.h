// Weights as codes on grids: a scale and a zero point for each line of weights (those of one output channel, say), or
// for each block of a line. Numbers only, no graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compress/number_spec.h"
#include "compress/rounding.h"

namespace edgec {

/// Lines of numbers, one after another.
struct Lines {
  std::size_t rows = 0, columns = 0;
  std::vector<float> data;

  [[nodiscard]] std::span<const float> row(std::size_t i) const {
    return std::span(data).subspan(i * columns, columns);
  }
};

/// real = scale * (code - zero); one of each for every block of every line, line after line.
struct Grid {
  std::size_t block = 1;  ///< numbers that share a scale; the last block of a line may be shorter
  std::size_t blocks = 1; ///< in a line
  std::vector<float> scales;
  std::vector<std::int32_t> zeros;

  /// block 0: the whole line.
  Grid(std::size_t rows, std::size_t columns, std::size_t block);
  [[nodiscard]] std::size_t of(std::size_t row, std::size_t column) const { return row * blocks + column / block; }
};

/// The grid that reaches from the smallest to the largest number of each block. Asymmetric: scale = (max - min) / (2^b
/// - 1) with 0 taken into the range and moved onto a code, so that codes are round((x - min) / (max - min) (2^b - 1))
/// (Jacob et al. 2018, section 3). Symmetric: max |x| / (2^(b-1) - 1). A block of zeros has scale 1.
Grid range_grid(const Lines &lines, NumberSpec number, std::size_t block);

/// The grid with the least squared error when rounded to nearest: scales from the range's down to half of it are tried,
/// the best one is fitted to its codes. `weights`, if not empty, has what an error in each column counts.
Grid searched_grid(const Lines &lines, NumberSpec number, std::size_t block, std::span<const float> weights,
                   int threads);

/// The nearest codes.
std::vector<std::int16_t> codes_on_grid(const Lines &lines, const Grid &grid, NumberSpec number);
/// What codes stand for.
std::vector<float> reals_on_grid(std::span<const std::int16_t> codes, const Grid &grid, std::size_t columns);

/// Codes with least (W - R) H (W - R)^T of the reals R that they stand for, line by line: GPTQ's rounding with carried
/// errors on the grid as it is given (Frantar et al. 2022), then coordinate descent over codes, and over scales, which
/// move. What is 0 where `fixed_zeros` is set stays 0. Error: interrupted.
Result<std::vector<std::int16_t>> round_on_grid(const Lines &lines, Grid &grid, NumberSpec number,
                                                const RoundingMetric &metric, int sweeps, int threads,
                                                bool fixed_zeros = false);

} // namespace edgec
