#include "compress/hashing.h"

#include <gtest/gtest.h>

#include "codec/hashed.h"
#include "tests/compress/random_matrix.h"

namespace edgec {
namespace {

std::vector<std::uint32_t> slots_of(std::size_t size, std::uint32_t count) {
  std::vector<std::uint32_t> slots(size);
  for (std::size_t i = 0; i < size; ++i) slots[i] = hashed_slot({7, count}, i);
  return slots;
}

double squared_error(const std::vector<double> &values, std::span<const std::uint32_t> slots, const FitGroup &group) {
  Matrix difference = group.weights;
  for (std::size_t i = 0; i < difference.data.size(); ++i) difference.data[i] -= values[slots[i]];
  return inner_product(difference, product(difference, group.all.h));
}

TEST(FitHashed, FindsValuesThatThereAre) {
  const auto slots = slots_of(12 * 10, 30);
  const Matrix truth = random_matrix(1, 30, 3);
  Matrix weights(12, 10);
  for (std::size_t i = 0; i < weights.data.size(); ++i) weights.data[i] = truth.data[slots[i]];
  const FitGroup group = group_of(weights, 4);
  const std::vector<double> found = fit_hashed({&weights, 1}, {&group, 1}, slots, 30);
  for (const std::uint32_t slot : slots) EXPECT_NEAR(found[slot], truth.data[slot], 1e-3);
}

TEST(FitHashed, BeatsTheMeansOfWeightsAndNoStepImprovesIt) {
  const auto slots = slots_of(40 * 16, 100);
  const FitGroup group = group_of(random_matrix(40, 16, 1), 2);
  std::vector<double> sums(100), counts(100);
  for (std::size_t i = 0; i < slots.size(); ++i) sums[slots[i]] += group.weights.data[i], counts[slots[i]] += 1;
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] /= std::max(counts[i], 1.0);
  std::vector<double> found = fit_hashed({&group.weights, 1}, {&group, 1}, slots, 100);
  const double error = squared_error(found, slots, group);
  EXPECT_LT(error, 0.97 * squared_error(sums, slots, group));
  for (const std::size_t slot : {0U, 50U, 99U})
    for (const double step : {-0.2, 0.2}) {
      found[slot] += step;
      EXPECT_GT(squared_error(found, slots, group), error);
      found[slot] -= step;
    }
}

TEST(FitHashed, GroupsShareValuesAndAnUnusedSlotIsZero) {
  const FitGroup groups[] = {group_of(random_matrix(3, 4, 1), 2), group_of(random_matrix(3, 4, 3), 4)};
  const Matrix weights[] = {groups[0].weights, groups[1].weights};
  std::vector<std::uint32_t> slots(24, 1);
  slots[5] = slots[20] = 2;
  const std::vector<double> found = fit_hashed(weights, groups, slots, 4);
  EXPECT_EQ(found[0], 0);
  EXPECT_EQ(found[3], 0);
  const double error = squared_error(found, std::span(slots).first(12), groups[0]) +
                       squared_error(found, std::span(slots).last(12), groups[1]);
  for (const double step : {-0.1, 0.1}) {
    auto other = found;
    other[2] += step;
    EXPECT_GT(squared_error(other, std::span(slots).first(12), groups[0]) +
                  squared_error(other, std::span(slots).last(12), groups[1]),
              error);
  }
}

} // namespace
} // namespace edgec
