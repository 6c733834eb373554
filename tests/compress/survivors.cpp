#include "compress/survivors.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compress/refit.h"
#include "support/random.h"

namespace edgec {
namespace {

Covariance moments(std::size_t columns, std::uint64_t seed) {
  Random random(seed);
  Matrix factor(columns, 3 * columns);
  for (double &x : factor.data) x = random.normal();
  const Matrix h = product_transposed(factor, factor);
  return {100, std::vector<double>(columns), std::vector<double>(columns), h, h};
}

Matrix weights(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Random random(seed);
  Matrix made(rows, columns);
  for (double &w : made.data) w = random.normal();
  return made;
}

TEST(Survivors, MakeUpForWhatIsGone) {
  const Matrix w = weights(8, 20, 1);
  const Covariance seen = moments(20, 2);
  const Mask keep = keep_largest(pruning_saliency(w, seen.h), 0.5);
  Matrix zeroed = w;
  for (std::size_t i = 0; i < keep.size(); ++i) zeroed.data[i] *= keep[i];
  const Matrix fitted = refit_survivors(w, keep, seen, 1e-6, 2);
  EXPECT_LT(output_error(fitted, w, seen), output_error(zeroed, w, seen));
  for (std::size_t i = 0; i < keep.size(); ++i) EXPECT_EQ(fitted.data[i] == 0, keep[i] == 0);
  // At the least-squares solution the error's gradient vanishes on the survivors.
  Matrix difference = fitted;
  for (std::size_t i = 0; i < w.data.size(); ++i) difference.data[i] -= w.data[i];
  const Matrix gradient = product(difference, seen.h);
  for (std::size_t i = 0; i < keep.size(); ++i) {
    if (keep[i] != 0) {
      EXPECT_NEAR(gradient.data[i], 0, 1e-2);
    }
  }
}

TEST(Survivors, OneRemovalCostsWhatItsSaliencySays) {
  const Matrix w = weights(1, 6, 3);
  const Covariance seen = moments(6, 4);
  const auto saliency = pruning_saliency(w, seen.h);
  for (std::size_t j = 0; j < 6; ++j) {
    Mask keep(6, 1);
    keep[j] = 0;
    const Matrix fitted = refit_survivors(w, keep, seen, 1e-9, 1);
    const double cost = output_error(fitted, w, seen) - output_error(w, w, seen);
    EXPECT_NEAR(cost, static_cast<double>(saliency[j]), 0.1 * static_cast<double>(saliency[j])); // H is damped by 1 %
  }
}

TEST(Survivors, NOfMHoldsInEveryGroup) {
  const auto saliency = pruning_saliency(weights(5, 24, 5), moments(24, 6).h);
  const Mask keep = keep_n_of_m(saliency, 24, 3, 2, 4); // 8 channels of 3 taps
  for (std::size_t row = 0; row < 5; ++row)
    for (std::size_t tap = 0; tap < 3; ++tap)
      for (std::size_t first = 0; first < 8; first += 4) {
        int left = 0;
        for (std::size_t c = first; c < first + 4; ++c) left += keep[row * 24 + c * 3 + tap];
        EXPECT_EQ(left, 2);
      }
}

TEST(Survivors, ARatioIsMetExactly) {
  const std::vector<float> saliency{5, 1, 1, 1, 3, 0, 2, 4};
  const Mask keep = keep_largest(saliency, 0.5);
  EXPECT_EQ(std::ranges::count(keep, 0), 4);
  EXPECT_EQ(keep[6], 1);
  EXPECT_EQ(std::ranges::count(keep_largest(saliency, 0.0), 0), 0);
  EXPECT_EQ(std::ranges::count(keep_largest(saliency, 1.0), 0), 8);
}

} // namespace
} // namespace edgec
