// Removal of blocks of inputs against least squares on what is left.
#include "compress/blocks.h"

#include <gtest/gtest.h>

#include "tests/compress/random_matrix.h"

namespace edgec {
namespace {

FitGroup group_of(std::size_t rows, std::size_t columns) {
  const Matrix samples = random_matrix(columns, 3 * columns, 1);
  FitGroup group{random_matrix(rows, columns, 2), {}, {}};
  group.all.h = product_transposed(samples, samples);
  group.all.c = group.all.h;
  group.folds = {group.all, group.all};
  return group;
}

double error(const Matrix &fitted, const FitGroup &group) {
  return output_error(fitted, group.weights, group.all) - output_error(group.weights, group.weights, group.all);
}

TEST(BlockRemoval, CostsAddUpToTheErrorOfTheBestFit) {
  const FitGroup group = group_of(5, 12);
  BlockRemoval removal(group.weights, group.all.h, 0);
  const std::vector<std::size_t> first{3, 4, 5}, second{9, 10, 11};
  double cost = removal.cost(first);
  removal.remove(first);
  cost += removal.cost(second);
  removal.remove(second);
  EXPECT_NEAR(error(removal.weights(), group), cost, 1e-6 * cost);
  for (const std::size_t column : first) EXPECT_EQ(removal.weights()(0, column), 0);

  const Matrix best = fit_columns(group, std::vector<std::size_t>{0, 1, 2, 6, 7, 8}, 1).value();
  EXPECT_NEAR(error(best, group), cost, 1e-3 * cost); // it is damped a little
  for (std::size_t i = 0; i < best.data.size(); ++i) EXPECT_NEAR(best.data[i], removal.weights().data[i], 1e-2);
}

TEST(BlockRemoval, AnInputThatNeverVariesCostsNothing) {
  FitGroup group = group_of(4, 6);
  for (std::size_t i = 0; i < 6; ++i) group.all.h(i, 2) = group.all.h(2, i) = 0;
  BlockRemoval removal(group.weights, group.all.h, 0.01);
  const std::vector<std::size_t> dead{2}, alive{3};
  EXPECT_LT(removal.cost(dead), 0.05 * removal.cost(alive));
}

} // namespace
} // namespace edgec
