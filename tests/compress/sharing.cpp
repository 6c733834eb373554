// Codebooks by second order against plain k-means.
#include "compress/sharing.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compress/kmeans.h"
#include "tests/compress/random_matrix.h"

namespace edgec {
namespace {

Matrix stood_for(std::span<const float> values, std::span<const std::uint8_t> codes, std::size_t rows,
                 std::size_t columns) {
  Matrix m(rows, columns);
  for (std::size_t i = 0; i < codes.size(); ++i) m.data[i] = static_cast<double>(values[codes[i]]);
  return m;
}

double squared_error(const Matrix &shared, const FitGroup &group) {
  Matrix difference = group.weights;
  for (std::size_t i = 0; i < difference.data.size(); ++i) difference.data[i] -= shared.data[i];
  return inner_product(difference, product(difference, group.all.h));
}

TEST(FitCodebook, BeatsKMeans) {
  const FitGroup group = group_of(random_matrix(30, 24, 1), 2);
  const SharedWeights shared = fit_codebook({&group.weights, 1}, {&group, 1}, {}, 3, 1).value();
  ASSERT_EQ(shared.values.size(), 8U);
  EXPECT_TRUE(std::ranges::is_sorted(shared.values));
  const std::vector<float> numbers(group.weights.data.begin(), group.weights.data.end());
  const Codebook plain = kmeans_codebook(numbers, 3);
  EXPECT_LT(squared_error(stood_for(shared.values, shared.codes[0], 30, 24), group),
            0.6 * squared_error(stood_for(plain.values, plain.codes, 30, 24), group));
}

TEST(FitCodebook, KeepsPrunedWeightsZero) {
  const FitGroup group = group_of(random_matrix(6, 10, 3), 4);
  Matrix pruned = group.weights;
  Mask kept(60, 1);
  for (std::size_t i = 0; i < 60; i += 3) kept[i] = 0, pruned.data[i] = 0;
  const SharedWeights shared = fit_codebook({&pruned, 1}, {&group, 1}, {&kept, 1}, 2, 1).value();
  EXPECT_LE(shared.values.size(), 4U);
  for (std::size_t i = 0; i < 60; i += 3) EXPECT_EQ(shared.values[shared.codes[0][i]], 0.0F);
}

TEST(FitCodebook, OneBookForAllGroupsWhateverTheThreads) {
  const std::vector<FitGroup> groups{group_of(random_matrix(20, 9, 5), 6), group_of(random_matrix(20, 9, 7), 8)};
  const std::vector<Matrix> weights{groups[0].weights, groups[1].weights};
  const SharedWeights one = fit_codebook(weights, groups, {}, 4, 1).value(),
                      three = fit_codebook(weights, groups, {}, 4, 3).value();
  EXPECT_EQ(one.values, three.values);
  EXPECT_EQ(one.codes, three.codes);
  EXPECT_EQ(one.codes.size(), 2U);
}

TEST(FitCodebook, FewDifferentWeightsComeBack) {
  Matrix weights(4, 4);
  for (std::size_t i = 0; i < 16; ++i) weights.data[i] = i % 2 == 0 ? -1.5 : 0.25;
  const FitGroup group = group_of(weights, 9);
  const SharedWeights shared = fit_codebook({&group.weights, 1}, {&group, 1}, {}, 2, 1).value();
  for (std::size_t i = 0; i < 16; ++i)
    EXPECT_NEAR(static_cast<double>(shared.values[shared.codes[0][i]]), weights.data[i], 1e-3);
}

TEST(FitCodebook, AllWeightsPruned) {
  const FitGroup group = group_of(random_matrix(2, 3, 10), 11);
  const Matrix zeros(2, 3);
  const Mask kept(6, 0);
  const SharedWeights shared = fit_codebook({&zeros, 1}, {&group, 1}, {&kept, 1}, 3, 1).value();
  ASSERT_EQ(shared.values.size(), 1U);
  EXPECT_EQ(shared.values[0], 0.0F);
}

TEST(FitCodes, OneCodebookServesLayersOfOtherSizes) {
  const FitGroup large = group_of(random_matrix(20, 16, 11), 12);
  FitGroup small = group_of(random_matrix(20, 16, 13), 14);
  for (double &w : small.weights.data) w *= 0.01;
  std::vector<float> numbers;
  for (const double w : large.weights.data) numbers.push_back(static_cast<float>(w));
  std::vector<float> values = first_values(numbers, 4, false);
  ASSERT_EQ(values.size(), 16U);
  const auto error = [&] {
    double sum = 0;
    ValueEquations equations(values.size());
    for (const FitGroup *group : {&large, static_cast<const FitGroup *>(&small)}) {
      const CodedLayer coded = fit_codes({&group->weights, 1}, {group, 1}, {}, values, 1).value();
      const double share = 1 / inner_product(group->weights, product(group->weights, group->all.h));
      Matrix reals = stood_for(values, coded.codes[0], 20, 16);
      for (double &x : reals.data) x *= static_cast<double>(coded.scale);
      sum += share * squared_error(reals, *group);
      equations.add(coded.equations, share * static_cast<double>(coded.scale) * static_cast<double>(coded.scale));
    }
    values = solve_values(equations, values, false);
    return sum;
  };
  const double first = error(), second = error();
  EXPECT_LT(first, 0.02);
  EXPECT_LT(second, first);
  EXPECT_TRUE(std::ranges::is_sorted(values));
}

} // namespace
} // namespace edgec
