#include "calibrate/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <gtest/gtest.h>

#include "ir/evaluate.h"
#include "support/random.h"

namespace edgec {
namespace {

ValueStatistics statistics_of(const std::vector<float> &values) {
  ValueStatistics s;
  s.histogram = std::make_shared<LogHistogram>();
  s.histogram->add(values);
  s.minimum = *std::min_element(values.begin(), values.end());
  s.maximum = *std::max_element(values.begin(), values.end());
  return s;
}

std::vector<float> normal_values(std::size_t count, double offset = 0) {
  Random random(3);
  std::vector<float> values(count);
  for (float &value : values) value = static_cast<float>(random.normal() + offset);
  return values;
}

TEST(LogHistogram, BinsAscendAndHoldTheirValues) {
  LogHistogram histogram;
  const std::vector<float> values{-1e30F, -3.0F, -1e-20F, 0.0F, 1e-20F, 2.5F, 7e29F};
  histogram.add(values);
  std::size_t next = 0;
  histogram.for_each([&](float low, float high, std::uint32_t count) {
    EXPECT_EQ(count, 1U);
    EXPECT_LE(low, values[next]);
    EXPECT_GE(high, values[next]);
    ++next;
  });
  EXPECT_EQ(next, values.size());
}

TEST(LogHistogram, MergingDoesNotDependOnTheOrder) {
  const auto values = normal_values(1000);
  const std::span<const float> all(values);
  LogHistogram a, b, whole;
  a.add(all.first(300));
  b.add(all.subspan(300));
  whole.add(all);
  b.merge(a);
  std::vector<std::uint32_t> merged, expected;
  b.for_each([&](float, float, std::uint32_t n) { merged.push_back(n); });
  whole.for_each([&](float, float, std::uint32_t n) { expected.push_back(n); });
  EXPECT_EQ(merged, expected);
}

TEST(LogHistogram, CountsAlikeWithinWhateverBoundsAndInWhateverPieces) {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const auto bins = [](const LogHistogram &histogram) {
    std::map<std::size_t, std::uint32_t> found;
    histogram.for_each_bin([&](std::size_t bin, std::uint32_t count) { found[bin] = count; });
    return found;
  };
  const auto check = [&](std::vector<float> values, float low, float high) {
    LogHistogram pieces, whole, bounded; // pieces are too small for counts beside the histogram's own
    for (const float value : values) pieces.add({&value, 1});
    whole.add(values);
    bounded.add(values, low, high);
    EXPECT_EQ(bins(whole), bins(pieces));
    EXPECT_EQ(bins(bounded), bins(pieces)) << low << " .. " << high;
  };
  auto values = normal_values(20000);
  const auto [low, high] = std::ranges::minmax(values);
  check(values, low, high);
  for (float &value : values) value = std::abs(value);
  check(values, 0.0F, std::ranges::max(values));
  check(values, -0.0F, std::ranges::max(values));
  for (float &value : values) value = -value;
  check(values, std::ranges::min(values), std::ranges::max(values));
  check(std::vector<float>(20000), 0, 0);
  values[3] = inf, values[4] = -inf, values[5] = nan, values[6] = -nan;
  check(values, -inf, inf);
  check(normal_values(20000), -inf, inf); // nothing of what was not finite is left
}

TEST(LogHistogram, TailsAreCountedOneByOneAndTheTotalIsRight) {
  for (const std::size_t size :
       {std::size_t{10}, std::size_t{64}, std::size_t{1000}, std::size_t{4096}, std::size_t{33333}})
    for (const bool one_sided : {false, true}) {
      auto values = normal_values(size);
      if (one_sided)
        for (float &value : values) value = std::max(0.0F, value);
      LogHistogram exact, tails;
      exact.add(values);
      const Middle middle{one_sided ? 0.0F : -2.5F, 2.5F};
      tails.add_tails(values, middle);
      EXPECT_EQ(tails.total(), size);
      const auto beyond = [&](const LogHistogram &histogram) {
        std::map<float, std::uint32_t> found;
        histogram.for_each([&](float low, float high, std::uint32_t count) {
          if (high < middle.low || low > middle.high) found[low] = count;
        });
        return found;
      };
      EXPECT_EQ(beyond(tails), beyond(exact)) << size;
    }
}

TEST(LogHistogram, TellsAPercentileThatCutsOnlyTails) {
  const auto values = normal_values(100000);
  LogHistogram histogram;
  const Middle middle{-2.5F, 2.5F}; // 0.6 % on either side
  histogram.add_tails(values, middle);
  EXPECT_TRUE(histogram.tells(99.9, middle));
  EXPECT_FALSE(histogram.tells(95, middle));
  EXPECT_TRUE(histogram.tells(95, Middle()));
  ValueStatistics whole = statistics_of(values), part = whole;
  part.histogram = std::make_shared<LogHistogram>(histogram);
  const Range expected = choose_range(whole, RangeMethod::percentile, 99.9);
  const Range found = choose_range(part, RangeMethod::percentile, 99.9);
  EXPECT_EQ(found.low, expected.low);
  EXPECT_EQ(found.high, expected.high);
}

TEST(Range, MinmaxHoldsZeroAndEveryValue) {
  const Range range = choose_range(statistics_of({2.0F, 5.0F}), RangeMethod::minmax, 0);
  EXPECT_EQ(range.low, 0.0F);
  EXPECT_EQ(range.high, 5.0F);
}

TEST(Range, PercentileLeavesTheTailsOut) {
  auto values = normal_values(100000);
  values.push_back(1000.0F);
  const Range range = choose_range(statistics_of(values), RangeMethod::percentile, 99.9);
  EXPECT_LT(range.high, 4.0F);
  EXPECT_GT(range.high, 3.0F);
  EXPECT_LT(range.low, -3.0F);
}

TEST(Range, MseClipsAnOutlierButNotANormalTensor) {
  auto values = normal_values(100000);
  const Range full = choose_range(statistics_of(values), RangeMethod::minmax, 0);
  EXPECT_GT(choose_range(statistics_of(values), RangeMethod::mse, 0).high, 0.7F * full.high);
  values.push_back(100.0F);
  // Least of (100 - h)^2 + 1e5 (h / 255)^2 / 12: h = 100 / (1 + 1e5 / (12 * 255^2)), were the low end at zero.
  EXPECT_NEAR(choose_range(statistics_of(values), RangeMethod::mse, 0).high, 88.6F, 2.0F);
}

// The plain formula of the literature: Q(x) = round((x - min) / (max - min) * (2^b - 1)).
TEST(AsymmetricQuant, IsThePlainFormulaOfTheLiterature) {
  for (const int bits : {4, 8}) {
    const float low = -1.0F, high = 3.0F;
    const float levels = static_cast<float>((1 << bits) - 1);
    const Quant quant = asymmetric_quant({low, high}, bits);
    std::vector<float> values;
    for (int i = 0; i <= 1000; ++i) values.push_back(low + (high - low) * static_cast<float>(i) / 1000.0F);
    const Tensor codes = quantize(Tensor::of({1001}, values), DType::uint8, quant);
    int off = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float plain = std::nearbyint((values[i] - low) / (high - low) * levels);
      const float difference = std::abs(plain - std::min(levels, static_cast<float>(codes.as<std::uint8_t>()[i])));
      EXPECT_LE(difference, 1.0F); // the zero point is rounded, so a code may be one step off
      off += difference > 0;
    }
    EXPECT_LT(off, 600);
  }
}

TEST(AsymmetricQuant, AValueThatIsAlwaysZeroGetsAHarmlessScale) {
  EXPECT_EQ(asymmetric_quant({0, 0}, 8), Quant::per_tensor(1.0F, 0));
}

} // namespace
} // namespace edgec
