#include "compress/grid.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "support/random.h"

namespace edgec {
namespace {

Lines random_lines(std::size_t rows, std::size_t columns, double mean = 0) {
  Random random(3);
  Lines lines{rows, columns, std::vector<float>(rows * columns)};
  for (float &x : lines.data) x = static_cast<float>(mean + random.normal());
  return lines;
}

double squared_error(const Lines &lines, const std::vector<float> &reals) {
  double error = 0;
  for (std::size_t i = 0; i < reals.size(); ++i) error += std::pow(static_cast<double>(lines.data[i]) - reals[i], 2);
  return error;
}

constexpr NumberSpec numbers[] = {{8, true}, {8, false}, {4, true}, {4, false}, {3, true}, {2, true}, {2, false}};

TEST(Grid, AsymmetricCodesAreThePlainFormulaOfTheLiterature) {
  // Q(x) = round((x - min) / (max - min) (2^b - 1)), where the smallest number lies a whole number of steps below 0.
  for (const int bits : {2, 4, 8}) {
    const int last = (1 << bits) - 1;
    for (int below = 0; below <= last; ++below) {
      const double step = 0.25, min = -step * below, max = min + step * last;
      Lines line{1, 500, {}};
      Random random(static_cast<std::uint64_t>(below));
      line.data = {static_cast<float>(min), static_cast<float>(max)};
      while (line.data.size() < 500) line.data.push_back(static_cast<float>(min + random.uniform() * (max - min)));
      const NumberSpec number{bits, false};
      const auto codes = codes_on_grid(line, range_grid(line, number, 0), number);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        const double exact = (line.data[i] - min) / (max - min) * last;
        if (std::abs(exact - std::floor(exact) - 0.5) < 1e-4) continue; // either side of a tie
        ASSERT_EQ(codes[i], std::nearbyint(exact)) << bits << " bits, " << line.data[i];
      }
    }
  }
}

TEST(Grid, RoundingToTheRangeIsOffByHalfAStepAtMost) {
  for (const NumberSpec number : numbers)
    for (const std::size_t block : {0U, 5U, 16U}) {
      const Lines lines = random_lines(7, 37, 0.5);
      const Grid grid = range_grid(lines, number, block);
      const auto codes = codes_on_grid(lines, grid, number);
      const auto reals = reals_on_grid(codes, grid, lines.columns);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        ASSERT_TRUE(codes[i] >= number.low() && codes[i] <= number.high());
        // A zero point that was moved onto a code leaves half a step more at the ends of the range.
        const float step = grid.scales[grid.of(i / 37, i % 37)];
        ASSERT_LE(std::abs(lines.data[i] - reals[i]), step * (!number.symmetric ? 1.001F : 0.501F));
      }
    }
}

TEST(Grid, ZeroStaysZero) {
  for (const NumberSpec number : numbers) {
    Lines lines = random_lines(4, 32);
    for (std::size_t i = 0; i < lines.data.size(); i += 3) lines.data[i] = 0;
    for (const Grid &grid : {range_grid(lines, number, 8), searched_grid(lines, number, 8, {}, 1)}) {
      const auto reals = reals_on_grid(codes_on_grid(lines, grid, number), grid, 32);
      for (std::size_t i = 0; i < lines.data.size(); i += 3) ASSERT_EQ(reals[i], 0);
    }
  }
  const Lines nothing{2, 4, std::vector<float>(8)};
  for (const Grid &grid : {range_grid(nothing, {4, false}, 0), searched_grid(nothing, {4, true}, 0, {}, 1)})
    EXPECT_EQ(grid.scales, (std::vector<float>{1, 1}));
}

TEST(Grid, ASearchedOneLeavesLessErrorAndTheSameForAnyNumberOfThreads) {
  for (const NumberSpec number : numbers)
    for (const std::size_t block : {0U, 16U}) {
      const Lines lines = random_lines(33, 64, 0.2);
      const auto error = [&](const Grid &grid) {
        return squared_error(lines, reals_on_grid(codes_on_grid(lines, grid, number), grid, lines.columns));
      };
      const Grid plain = range_grid(lines, number, block), searched = searched_grid(lines, number, block, {}, 1);
      EXPECT_LE(error(searched), error(plain) * (number.bits == 8   ? 1.0
                                                 : number.bits == 4 ? 0.95
                                                                    : 0.8))
          << number.bits << !number.symmetric;
      EXPECT_EQ(searched.scales, searched_grid(lines, number, block, {}, 3).scales);
    }
}

TEST(Grid, WhatCountsMoreIsCloser) {
  const Lines lines = random_lines(20, 64);
  std::vector<float> weights(64, 0.01F);
  std::fill_n(weights.begin(), 8, 1.0F);
  const NumberSpec number{4, true};
  const auto error = [&](const Grid &grid) {
    const auto reals = reals_on_grid(codes_on_grid(lines, grid, number), grid, 64);
    double sum = 0;
    for (std::size_t i = 0; i < reals.size(); ++i)
      if (i % 64 < 8) sum += std::pow(lines.data[i] - reals[i], 2);
    return sum;
  };
  EXPECT_LT(error(searched_grid(lines, number, 0, weights, 1)), 0.9 * error(searched_grid(lines, number, 0, {}, 1)));
}

/// Second moments of numbers that hang together.
Matrix correlated(std::size_t k) {
  Random random(9);
  Matrix x(4 * k, k), h(k, k);
  for (std::size_t n = 0; n < x.rows; ++n) {
    const double common = 2 * random.normal();
    for (std::size_t i = 0; i < k; ++i) x(n, i) = (1 + 0.1 * static_cast<double>(i % 7)) * (random.normal() + common);
  }
  for (std::size_t i = 0; i < k; ++i)
    for (std::size_t j = 0; j < k; ++j)
      for (std::size_t n = 0; n < x.rows; ++n) h(i, j) += x(n, i) * x(n, j) / static_cast<double>(x.rows);
  return h;
}

double output_error(const Lines &lines, const std::vector<float> &reals, const Matrix &h) {
  double error = 0;
  const std::size_t k = lines.columns;
  for (std::size_t row = 0; row < lines.rows; ++row)
    for (std::size_t i = 0; i < k; ++i)
      for (std::size_t j = 0; j < k; ++j)
        error +=
            (lines.data[row * k + i] - reals[row * k + i]) * h(i, j) * (lines.data[row * k + j] - reals[row * k + j]);
  return error;
}

TEST(Grid, SecondOrderRoundingLeavesAFractionOfTheOutputsError) {
  const Matrix h = correlated(48);
  const Lines lines = random_lines(21, 48);
  for (const NumberSpec number : numbers)
    for (const std::size_t block : {0U, 16U, 20U}) {
      Grid grid = searched_grid(lines, number, block, {}, 1), again = grid;
      const auto nearest = reals_on_grid(codes_on_grid(lines, grid, number), grid, 48);
      const RoundingMetric metric(h, 0.01);
      const auto codes = round_on_grid(lines, grid, number, metric, 4, 1);
      ASSERT_TRUE(codes);
      EXPECT_LT(output_error(lines, reals_on_grid(*codes, grid, 48), h), 0.6 * output_error(lines, nearest, h))
          << number.bits << " bits in blocks of " << block;
      for (const std::int16_t code : *codes) ASSERT_TRUE(code >= number.low() && code <= number.high());
      EXPECT_EQ(*codes, *round_on_grid(lines, again, number, metric, 4, 3));
      EXPECT_EQ(grid.scales, again.scales);
    }
}

} // namespace
} // namespace edgec
