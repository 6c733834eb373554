#include "compress/low_rank.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "tests/compress/random_matrix.h"

namespace edgec {
namespace {

Matrix covariance_like(std::size_t columns, std::uint64_t seed) {
  Matrix mix = random_matrix(columns, columns, seed);
  for (std::size_t i = 0; i < columns; ++i) // some inputs are much larger than others
    for (double &x : mix.row(i)) x *= i % 4 == 0 ? 5.0 : 0.3;
  return product_transposed(mix, mix);
}

double error(const Matrix &weights, const Matrix &other, const Matrix &h) {
  Matrix difference = weights;
  for (std::size_t i = 0; i < difference.data.size(); ++i) difference.data[i] -= other.data[i];
  return inner_product(difference, product(difference, h));
}

double tail(const std::vector<double> &spectrum, std::size_t rank) {
  return std::accumulate(spectrum.begin() + static_cast<std::ptrdiff_t>(rank), spectrum.end(), 0.0);
}

/// More rows than columns, and fewer: the two ways to the same components.
class LowRank : public ::testing::TestWithParam<std::pair<std::size_t, std::size_t>> {
protected:
  const std::size_t rows = GetParam().first, columns = GetParam().second;
  const Matrix weights = random_matrix(rows, columns, 1), h = covariance_like(columns, 2);
};

TEST_P(LowRank, LeavesTheErrorThatTheSpectrumTells) {
  const std::vector<double> spectrum = output_spectrum(weights, h);
  ASSERT_EQ(spectrum.size(), std::min(rows, columns));
  EXPECT_TRUE(std::ranges::is_sorted(spectrum, std::greater<>()));
  for (const std::size_t rank : {1U, 3U, 6U}) {
    const Factors factors = factorize(weights, h, rank);
    ASSERT_EQ(factors.out.columns, rank);
    ASSERT_EQ(factors.in.rows, rank);
    EXPECT_NEAR(error(weights, product(factors.out, factors.in), h) / tail(spectrum, rank), 1, 1e-6);
  }
}

TEST_P(LowRank, BeatsTheDecompositionOfTheWeightsAlone) {
  Matrix identity(columns, columns);
  for (std::size_t i = 0; i < columns; ++i) identity(i, i) = 1;
  const Factors blind = factorize(weights, identity, 4), seeing = factorize(weights, h, 4);
  EXPECT_LT(error(weights, product(seeing.out, seeing.in), h), 0.7 * error(weights, product(blind.out, blind.in), h));
}

TEST_P(LowRank, GivesBackWhatHasThatRank) {
  const Matrix thin = product(random_matrix(rows, 3, 5), random_matrix(3, columns, 6));
  const Factors factors = factorize(thin, h, 4);
  const Matrix whole = product(factors.out, factors.in);
  for (std::size_t i = 0; i < thin.data.size(); ++i) EXPECT_NEAR(whole.data[i], thin.data[i], 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Shapes, LowRank, ::testing::Values(std::pair{20U, 12U}, std::pair{10U, 24U}));

} // namespace
} // namespace edgec
