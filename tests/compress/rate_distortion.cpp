// Codes for a rate: fewer bits for more error, never codes that a file cannot hold.
#include "compress/rate_distortion.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/random.h"

namespace edgec {
namespace {

RateGroup group(std::size_t rows, std::size_t columns, std::uint64_t seed) {
  Random random(seed);
  RateGroup made{Matrix(rows, columns), Matrix(columns, columns)};
  for (double &w : made.weights.data) w = random.normal();
  Matrix factor(columns, columns);
  for (double &x : factor.data) x = random.normal();
  made.h = product_transposed(factor, factor);
  for (double &x : made.h.data) x /= static_cast<double>(columns);
  return made;
}

double error_of(const RateGroup &made, const RatedCodes &rated) {
  Matrix difference = made.weights;
  for (std::size_t i = 0; i < difference.data.size(); ++i)
    difference.data[i] -= static_cast<double>(rated.scales[i / difference.columns]) * rated.codes[i];
  return inner_product(difference, product(difference, made.h));
}

TEST(RateDistortion, ADearerBitGivesASmallerFileAndMoreError) {
  const RateGroup made = group(64, 48, 1);
  double last_bits = 1e30, last_error = 0;
  for (const double lambda : {1e-4, 1e-3, 1e-2, 1e-1}) {
    const RatedCodes rated = round_for_rate({&made, 1}, {.lambda = lambda}).value();
    const double error = error_of(made, rated);
    EXPECT_LT(rated.bits, last_bits);
    EXPECT_GT(error, last_error);
    last_bits = rated.bits;
    last_error = error;
  }
}

TEST(RateDistortion, BeatsRoundingToNearestAtItsOwnBits) {
  const RateGroup made = group(64, 48, 2);
  for (const double lambda : {1e-2, 1e-1, 1.0}) {
    const RatedCodes rated = round_for_rate({&made, 1}, {.lambda = lambda}).value();
    const RatedCodes nearest = round_for_rate({&made, 1}, {.lambda = lambda, .refinements = 0}).value();
    // lambda says what a bit is worth.
    EXPECT_LT(error_of(made, rated) + lambda * rated.bits, error_of(made, nearest) + lambda * nearest.bits);
  }
}

TEST(RateDistortion, LargeRowsGetALargerStepInstead) {
  RateGroup made = group(4, 16, 3);
  for (double &w : made.weights.row(2)) w *= 5000;
  const RatedCodes rated = round_for_rate({&made, 1}, {.lambda = 1e-3}).value();
  EXPECT_GT(rated.scales[2], rated.scales[1]);
  const double steps = 4 * std::log2(static_cast<double>(rated.scales[2]) / static_cast<double>(rated.scales[1]));
  EXPECT_NEAR(steps, std::nearbyint(steps), 1e-5); // a power of 2^(1/4): a byte in the file
  for (const int code : rated.codes) EXPECT_LE(std::abs(code), 127);
}

TEST(RateDistortion, DepthwiseChannelsHaveStepsOfTheirOwn) {
  std::vector<RateGroup> groups;
  for (std::uint64_t i = 0; i < 8; ++i) {
    groups.push_back(group(1, 9, 10 + i));
    for (double &x : groups.back().h.data) x *= std::exp2(2.0 * static_cast<double>(i)); // inputs twice as large
  }
  const RatedCodes rated = round_for_rate(groups, {.lambda = 1.0}).value();
  ASSERT_EQ(rated.scales.size(), 8U);
  EXPECT_LT(rated.scales[7], rated.scales[0] / 8);
}

TEST(RateDistortion, ScalesAreNeverBelowWhatTheBiasNeeds) {
  const RateGroup made = group(2, 8, 4);
  const RatedCodes rated = round_for_rate({&made, 1}, {.lambda = 1e-6, .least_scales = {0.0F, 2.0F}}).value();
  EXPECT_LT(rated.scales[0], 1.0F);
  EXPECT_GE(rated.scales[1], 2.0F);
}

TEST(RateDistortion, SameForAnyNumberOfThreads) {
  const RateGroup made = group(100, 30, 5);
  const RatedCodes one = round_for_rate({&made, 1}, {.lambda = 1e-2, .threads = 1}).value();
  const RatedCodes four = round_for_rate({&made, 1}, {.lambda = 1e-2, .threads = 4}).value();
  EXPECT_EQ(one.codes, four.codes);
}

} // namespace
} // namespace edgec
