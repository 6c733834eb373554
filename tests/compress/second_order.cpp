// Refit and rounding against brute force and against what they must never do worse than.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compress/matrix.h"
#include "compress/moments.h"
#include "compress/refit.h"
#include "compress/rounding.h"
#include "support/random.h"
#include "tests/compress/random_matrix.h"

namespace edgec {
namespace {

/// Moments of samples x and y = x + noise; correlated columns, so that H is far from diagonal.
Moments moments_of(std::size_t columns, std::size_t count, double noise, std::uint64_t seed) {
  const Matrix mix = random_matrix(columns, columns, 7);
  Random random(seed);
  Moments m(columns);
  m.count = static_cast<double>(count);
  m.samples = 4;
  for (std::size_t n = 0; n < count; ++n) {
    std::vector<double> source(columns), x(columns), y(columns);
    for (double &s : source) s = random.normal();
    for (std::size_t i = 0; i < columns; ++i) {
      for (std::size_t j = 0; j < columns; ++j) x[i] += mix(i, j) * source[j];
      y[i] = x[i] + noise * random.normal() + 0.5;
    }
    for (std::size_t i = 0; i < columns; ++i) {
      m.x[i] += x[i];
      m.y[i] += y[i];
      for (std::size_t j = 0; j < columns; ++j) m.yy(i, j) += y[i] * y[j], m.xy(i, j) += x[i] * y[j];
    }
  }
  return m;
}

double rounding_error(const Matrix &w, const std::vector<std::int8_t> &codes, const std::vector<float> &scales,
                      const Matrix &h) {
  Matrix difference = w;
  for (std::size_t i = 0; i < w.data.size(); ++i)
    difference.data[i] -= static_cast<double>(scales[i / w.columns]) * codes[i];
  return inner_product(difference, product(difference, h));
}

TEST(Moments, CovarianceIsAboutTheMeans) {
  const Moments m = moments_of(3, 4000, 0.1, 1);
  const Covariance c = covariance(m);
  EXPECT_NEAR(c.mean_y[0] - c.mean_x[0], 0.5, 0.02);
  EXPECT_NEAR(c.h(0, 0) - c.c(0, 0), 0.01, 0.05); // the noise's variance, apart from chance correlations
  EXPECT_NEAR(c.h(0, 1), c.h(1, 0), 1e-9);
}

TEST(Moments, FewSamplesShrinkTowardsTheDiagonal) {
  Moments m = moments_of(8, 16, 0.1, 2);
  const Covariance many = covariance(m);
  m.samples = 16; // one position a sample
  const Covariance few = covariance(m);
  EXPECT_NEAR(few.h(0, 1), many.h(0, 1) * (1 - 0.4), 1e-9); // t = .8 * 8 / 16
  EXPECT_EQ(few.h(2, 2), many.h(2, 2));
}

TEST(Refit, UndoesWhatTheInputsLost) {
  // The compressed inputs are half of the original ones: the refit weights must be twice as large.
  Moments m = moments_of(6, 3000, 0.0, 3);
  for (double &v : m.y) v = 0;
  for (double &v : m.x) v = 0;
  for (std::size_t i = 0; i < m.yy.data.size(); ++i) m.xy.data[i] = m.yy.data[i] * 2;
  const Matrix w = random_matrix(4, 6, 4);
  const FitGroup group{w, covariance(m), {covariance(m), covariance(m)}};
  const Refit fitted = refit({&group, 1}, 1).value();
  EXPECT_EQ(fitted.damping, 0.003);
  for (std::size_t i = 0; i < w.data.size(); ++i) EXPECT_NEAR(fitted.weights[0].data[i], 2 * w.data[i], 0.1);
}

TEST(Refit, KeepsTheWeightsWhereFoldsDisagree) {
  // Inputs that differ by pure chance between the folds: any fit to one fold loses on the other.
  const Moments a = moments_of(24, 30, 0.3, 5), b = moments_of(24, 30, 0.3, 6);
  const Matrix w = random_matrix(4, 24, 7);
  Moments both = a;
  both.add(b);
  const FitGroup group{w, covariance(both), {covariance(a), covariance(b)}};
  EXPECT_GE(refit({&group, 1}, 1).value().damping, 0.03);
}

TEST(Refit, WhitenedMomentsDrawTheFitToTheWeightsAsDampingDoes) {
  const Matrix w = random_matrix(4, 8, 7);
  for (const double share : {0.1, 1.0, 30.0}) {
    Covariance plain = covariance(moments_of(8, 300, 0.3, 5)), white = plain;
    whiten(white, share);
    const Matrix damped = refit(w, plain, share), whitened = refit(w, white, 0);
    for (std::size_t i = 0; i < w.data.size(); ++i) EXPECT_NEAR(whitened.data[i], damped.data[i], 1e-9);
    // |w - W|^2 counts as much as `share` of the mean column's power.
    Matrix other = random_matrix(4, 8, 8);
    double apart = 0;
    for (std::size_t i = 0; i < w.data.size(); ++i) apart += std::pow(other.data[i] - w.data[i], 2);
    const auto gain = [&](const Covariance &seen) { return output_error(other, w, seen) - output_error(w, w, seen); };
    EXPECT_NEAR(gain(white), gain(plain) + share * mean_diagonal(plain.h) * apart, 1e-6 * (1 + share) * apart);
  }
}

TEST(Refit, SameForAnyNumberOfThreads) {
  const Moments a = moments_of(12, 300, 0.3, 5), b = moments_of(12, 300, 0.3, 6);
  const Matrix w = random_matrix(80, 12, 7);
  Moments both = a;
  both.add(b);
  const FitGroup group{w, covariance(both), {covariance(a), covariance(b)}};
  EXPECT_EQ(refit({&group, 1}, 1).value().weights[0].data, refit({&group, 1}, 3).value().weights[0].data);
}

TEST(Rounding, BeatsRoundToNearest) {
  const Moments m = moments_of(40, 500, 0.1, 8);
  const Matrix h = covariance(m).h;
  const Matrix w = random_matrix(20, 40, 9);
  std::vector<float> scales(20, 0.3F);
  std::vector<std::int8_t> nearest;
  for (const double x : w.data)
    nearest.push_back(static_cast<std::int8_t>(std::clamp(std::nearbyint(x / 0.3F), -7.0, 7.0)));
  const auto codes = round_rows(w, scales, RoundingMetric(h, 0.01), {.levels = 7}).value();
  EXPECT_LT(rounding_error(w, codes, scales, h), 0.5 * rounding_error(w, nearest, scales, h));
  EXPECT_TRUE(std::ranges::all_of(codes, [](int c) { return c >= -7 && c <= 7; }));
}

TEST(Rounding, OfADiagonalMetricIsToNearest) {
  Matrix h(5, 5);
  for (std::size_t i = 0; i < 5; ++i) h(i, i) = 1 + static_cast<double>(i);
  const Matrix w = random_matrix(3, 5, 10);
  std::vector<float> scales(3, 0.05F);
  const auto codes = round_rows(w, scales, RoundingMetric(h, 0.01), {}).value();
  for (std::size_t i = 0; i < codes.size(); ++i)
    EXPECT_EQ(codes[i], std::nearbyintf(static_cast<float>(w.data[i]) / 0.05F));
}

TEST(Rounding, SearchedScalesAreNeverWorse) {
  const Moments m = moments_of(10, 500, 0.1, 11);
  const Matrix h = covariance(m).h;
  const Matrix w = random_matrix(20, 10, 12);
  std::vector<float> fixed(20, 0.4F), searched(20, 0.4F);
  const RoundingMetric metric(h, 0.01);
  const auto plain = round_rows(w, fixed, metric, {.levels = 7}).value();
  const auto best = round_rows(w, searched, metric, {.levels = 7, .scale_factors = {1, 0.9, 0.8, 0.7}}).value();
  EXPECT_LT(rounding_error(w, best, searched, h), rounding_error(w, plain, fixed, h));
  EXPECT_NE(fixed, searched);
}

TEST(Rounding, KeepsZerosAndDeadInputs) {
  Moments m = moments_of(8, 200, 0.1, 13);
  Matrix h = covariance(m).h;
  for (std::size_t i = 0; i < 8; ++i) h(i, 3) = h(3, i) = 0; // an input that is always zero
  Matrix w = random_matrix(4, 8, 14);
  for (std::size_t r = 0; r < 4; ++r) w(r, 5) = 0;
  std::vector<float> scales(4, 0.02F);
  const auto codes = round_rows(w, scales, RoundingMetric(h, 0.01), {}, true).value();
  for (std::size_t r = 0; r < 4; ++r) EXPECT_EQ(codes[r * 8 + 5], 0);
}

} // namespace
} // namespace edgec
