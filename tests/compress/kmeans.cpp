#include "compress/kmeans.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <rapidcheck/gtest.h>

#include "support/random.h"

namespace edgec {
namespace {

std::vector<float> normal_numbers(std::uint64_t seed, std::size_t count) {
  Random random(seed);
  std::vector<float> numbers(count);
  for (float &number : numbers) number = static_cast<float>(random.normal());
  return numbers;
}

double error_of(const Codebook &book, const std::vector<float> &numbers) {
  double sum = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double difference = static_cast<double>(book.values[book.codes[i]]) - static_cast<double>(numbers[i]);
    sum += difference * difference;
  }
  return sum;
}

/// The least error of any `count` centres, by dynamic programming over the sorted numbers (Wang and Song 2011).
double best_error(std::vector<float> numbers, std::size_t count) {
  std::ranges::sort(numbers);
  const std::size_t n = numbers.size();
  std::vector<double> sum(n + 1), square(n + 1), best(n + 1, 1e300);
  for (std::size_t i = 0; i < n; ++i) {
    const auto x = static_cast<double>(numbers[i]);
    sum[i + 1] = sum[i] + x;
    square[i + 1] = square[i] + x * x;
  }
  best[0] = 0;
  for (std::size_t k = 0; k < count; ++k) {
    std::vector<double> next(n + 1, 1e300);
    for (std::size_t j = 0; j <= n; ++j)
      for (std::size_t i = 0; i <= j; ++i) {
        const double total = sum[j] - sum[i];
        const double cost = i == j ? 0 : square[j] - square[i] - total * total / static_cast<double>(j - i);
        next[j] = std::min(next[j], best[i] + cost);
      }
    best = next;
  }
  return best[n];
}

RC_GTEST_PROP(Kmeans, EveryNumberHasItsNearestValue, ()) {
  const auto numbers = normal_numbers(*rc::gen::arbitrary<std::uint64_t>(), *rc::gen::inRange<std::size_t>(1, 400));
  const int bits = *rc::gen::inRange(1, 9);
  const Codebook book = kmeans_codebook(numbers, bits);
  RC_ASSERT(book.values.size() <= (std::size_t{1} << bits));
  RC_ASSERT(std::ranges::is_sorted(book.values));
  RC_ASSERT(std::ranges::adjacent_find(book.values) == book.values.end());
  for (std::size_t i = 0; i < numbers.size(); ++i)
    for (const float value : book.values)
      RC_ASSERT(std::abs(book.values[book.codes[i]] - numbers[i]) <= std::abs(value - numbers[i]));
  RC_ASSERT(std::abs(error_of(book, numbers) - book.squared_error) <= 1e-9 * (1 + book.squared_error));
}

TEST(Kmeans, IsNearTheLeastErrorThatThereIs) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const auto numbers = normal_numbers(seed, 300);
    const Codebook book = kmeans_codebook(numbers, 3);
    EXPECT_GE(book.squared_error, best_error(numbers, 8) * (1 - 1e-9));
    EXPECT_LE(book.squared_error, best_error(numbers, 8) * 1.25);
  }
}

TEST(Kmeans, FewValuesComeBackExactly) {
  const std::vector<float> numbers{3, -1, 0.5F, 3, 3, -1, -0.0F};
  const Codebook book = kmeans_codebook(numbers, 2);
  EXPECT_EQ(book.values, (std::vector<float>{-1, 0, 0.5F, 3}));
  EXPECT_EQ(book.codes, (std::vector<std::uint8_t>{3, 0, 2, 3, 3, 0, 1}));
  EXPECT_EQ(book.squared_error, 0);
  EXPECT_TRUE(kmeans_codebook({}, 4).values.empty());
}

TEST(Kmeans, ZerosStayZero) {
  for (int bits = 2; bits <= 8; ++bits) {
    auto numbers = normal_numbers(7, 4000);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      if (std::abs(numbers[i]) < 0.6F) numbers[i] = i % 2 == 0 ? 0.0F : -0.0F;
    for (float &number : numbers) number = number < 0 ? number * 0.3F : number; // not symmetric
    const Codebook book = kmeans_codebook(numbers, bits);
    for (std::size_t i = 0; i < numbers.size(); ++i)
      ASSERT_TRUE(numbers[i] != 0 || book.values[book.codes[i]] == 0) << bits;
  }
}

TEST(Kmeans, NumbersOfOneSignStillHaveAZero) {
  std::vector<float> numbers(1000);
  std::iota(numbers.begin(), numbers.end(), 0.0F);
  const Codebook book = kmeans_codebook(numbers, 2);
  EXPECT_EQ(book.values.front(), 0);
  EXPECT_EQ(book.codes.front(), 0);
}

TEST(Kmeans, SumsDoNotDependOnTheOrder) {
  auto numbers = normal_numbers(11, 5000);
  const Codebook book = kmeans_codebook(numbers, 4);
  std::ranges::reverse(numbers);
  EXPECT_EQ(kmeans_codebook(numbers, 4).values, book.values);
}

} // namespace
} // namespace edgec
