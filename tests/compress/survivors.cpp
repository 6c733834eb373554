// Masks and refits of pruned rows against brute force.
#include "compress/survivors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "support/random.h"
#include "tests/compress/random_matrix.h"

namespace edgec {
namespace {

using ::testing::ElementsAre;

double squared_error(const Matrix &fitted, const FitGroup &group) {
  Matrix difference = group.weights;
  for (std::size_t i = 0; i < difference.data.size(); ++i) difference.data[i] -= fitted.data[i];
  return inner_product(difference, product(difference, group.all.h));
}

TEST(Saliencies, AreTheLeastLossOfOneWeight) {
  const FitGroup group = group_of(random_matrix(1, 5, 1), 2);
  const Matrix worth = saliencies(group.weights, group.all.h, 1e-12);
  for (std::size_t gone = 0; gone < 5; ++gone) {
    Mask kept(5, 1);
    kept[gone] = 0;
    const Refit fitted = refit_survivors({&group, 1}, {&kept, 1}, 1).value();
    EXPECT_NEAR(squared_error(fitted.weights[0], group), worth(0, gone), 0.02 * worth(0, gone) + 1e-6);
  }
}

TEST(ChooseMasks, TheLeastWorthGoesOverAllGroups) {
  Matrix a(1, 3), b(1, 3);
  a.data = {5, 1, 4};
  b.data = {0.5, 6, 2};
  const std::vector<Matrix> worth{a, b};
  const auto masks = choose_masks(worth, {.share = 0.5});
  EXPECT_THAT(masks[0], ElementsAre(1, 0, 1));
  EXPECT_THAT(masks[1], ElementsAre(0, 1, 0));
  EXPECT_EQ(std::ranges::count(choose_masks(worth, {.share = 1})[0], 1), 0);
}

TEST(ChooseMasks, NOfMAlongTheInputChannels) {
  Matrix worth(1, 8); // four channels of two taps: columns 0 2 4 6 and 1 3 5 7 are groups
  worth.data = {1, 9, 2, 8, 3, 7, 4, 6};
  EXPECT_THAT(choose_masks({&worth, 1}, {.n = 2, .m = 4, .taps = 2})[0], ElementsAre(0, 1, 0, 1, 1, 0, 1, 0));
}

TEST(SecondOrderMasks, BeatMagnitude) {
  const FitGroup group = group_of(random_matrix(24, 20, 3), 4);
  Matrix sizes = group.weights;
  for (double &x : sizes.data) x = std::abs(x);
  const Sparsity half{.share = 0.5};
  const auto by_size = choose_masks({&sizes, 1}, half);
  const auto steps = second_order_masks({&group, 1}, half, 6, 1).value();
  EXPECT_EQ(std::ranges::count(steps[0], 0), 240);
  const auto error = [&](const std::vector<Mask> &masks) {
    return squared_error(refit_survivors({&group, 1}, masks, 1).value().weights[0], group);
  };
  EXPECT_LT(error(steps), error(by_size));
  EXPECT_LT(error(steps), error(second_order_masks({&group, 1}, half, 1, 1).value()));
}

TEST(LossCurve, GrowsToTheWholeSignal) {
  const FitGroup group = group_of(random_matrix(24, 10, 12), 13);
  const double shares[] = {0.2, 0.5, 0.8, 1.0};
  const auto losses = loss_curve({&group, 1}, shares, 1).value();
  EXPECT_TRUE(std::ranges::is_sorted(losses));
  EXPECT_NEAR(losses[3], squared_error(Matrix(24, 10), group), 1e-6 * losses[3]);
  EXPECT_LT(losses[0], 0.2 * losses[3]);
}

TEST(ShareOut, TheNextZeroCostsTheSameEverywhere) {
  const double shares[] = {0.5, 1.0};
  // Prices rise from 0 over 0.1 and 0.9 (layer 0), over 0.4 and 2.8 (layer 1) a half of the weights.
  const std::vector<LossCurve> curves{{{5, 50}, 100}, {{20, 160}, 100}};
  for (const double ratio : {0.1, 0.25, 0.5, 0.75, 0.9}) {
    const auto found = share_out(curves, shares, ratio);
    EXPECT_NEAR(found[0] + found[1], 2 * ratio, 1e-9);
    EXPECT_GT(found[0], found[1]);
  }
  EXPECT_NEAR(share_out(curves, shares, 0.125)[0], 0.2, 1e-9); // both at 0.08 a weight
  EXPECT_THAT(share_out(curves, shares, 0), ElementsAre(0, 0));
  EXPECT_THAT(share_out(curves, shares, 1), ElementsAre(1, 1));
}

TEST(ShareOut, NoLayerExceedsWhatItMayUnlessAllDo) {
  const double shares[] = {0.5, 1.0};
  const std::vector<LossCurve> curves{{{0, 0}, 100, 0.9}, {{20, 160}, 100}, {{5, 50}, 200, 0.95}};
  for (const double ratio : {0.1, 0.3, 0.5, 0.7, 0.9, 0.94, 0.98, 1.0}) {
    const auto found = share_out(curves, shares, ratio);
    EXPECT_NEAR(100 * found[0] + 100 * found[1] + 200 * found[2], 400 * ratio, 1e-6);
    EXPECT_LE(found[0], std::max(0.9, ratio) + 1e-9);
    EXPECT_LE(found[2], std::max(0.95, ratio) + 1e-9);
  }
}

TEST(ShareOut, LayersOfOnePriceTakeEqualParts) {
  const double shares[] = {0.5, 1.0};
  const std::vector<LossCurve> curves{{{0, 0}, 100}, {{0, 0}, 300}, {{}, 50}};
  EXPECT_THAT(share_out(curves, shares, 0.5), ElementsAre(0.5, 0.5, 0));
}

TEST(RefitSurvivors, IsTheLeastSquaresSolutionOfTheMask) {
  const FitGroup group = group_of(random_matrix(3, 6, 5), 6);
  Mask kept(18, 1);
  for (const std::size_t gone : {0U, 4U, 7U, 8U, 17U}) kept[gone] = 0;
  const Refit fitted = refit_survivors({&group, 1}, {&kept, 1}, 2).value();
  const double least = squared_error(fitted.weights[0], group);
  Random random(7);
  for (int trial = 0; trial < 50; ++trial) {
    Matrix other = fitted.weights[0];
    for (std::size_t i = 0; i < kept.size(); ++i) {
      if (kept[i] == 0)
        EXPECT_EQ(other.data[i], 0);
      else
        other.data[i] += 0.1 * random.normal();
    }
    EXPECT_GT(squared_error(other, group), least);
  }
  EXPECT_EQ(fitted.weights[0].data, refit_survivors({&group, 1}, {&kept, 1}, 1).value().weights[0].data);
}

TEST(RefitSurvivors, KeepsThemWhereFoldsDisagree) {
  FitGroup group = group_of(random_matrix(4, 24, 8), 9);
  for (const std::uint64_t seed : {10U, 11U}) { // folds of fewer samples than weights
    const Matrix few = random_matrix(24, 3, seed);
    group.folds[seed - 10].h = product_transposed(few, few);
    group.folds[seed - 10].c = group.folds[seed - 10].h;
  }
  Mask kept(96, 1);
  for (std::size_t i = 0; i < 96; i += 2) kept[i] = 0;
  EXPECT_GE(refit_survivors({&group, 1}, {&kept, 1}, 1).value().damping, 0.03);
}

} // namespace
} // namespace edgec
