// Tables of ranges: parts put together are what one run finds, whatever their order; nothing else is taken for one.
#include "calibrate/range_table.h"

#include <cmath>
#include <gtest/gtest.h>

#include "support/random.h"

namespace edgec {
namespace {

ValueStatistics statistics_of(std::span<const float> values) {
  ValueStatistics found;
  found.histogram = std::make_shared<LogHistogram>();
  for (const float value : values) {
    found.minimum = std::min(found.minimum, value), found.maximum = std::max(found.maximum, value);
  }
  found.histogram->add(values);
  return found;
}

/// Samples number i of `count` on: value "a" and, with the other sign, "b".
RangeTable table_of(const std::vector<std::vector<float>> &samples, std::size_t first, std::size_t count) {
  RangeTable table{"sha", 0, {}};
  std::vector<float> halves[2], negated[2];
  for (std::size_t i = first; i < samples.size(); i += count, ++table.samples)
    for (const float value : samples[i]) halves[i % 2].push_back(value), negated[i % 2].push_back(-value);
  for (std::size_t half = 0; half < 2; ++half) {
    table.values["a"][half] = statistics_of(halves[half]);
    table.values["b \"quoted\" \xC3\xA9"][half] = statistics_of(negated[half]);
  }
  return table;
}

std::vector<std::vector<float>> random_samples(std::size_t count) {
  Random random(5);
  std::vector<std::vector<float>> samples(count);
  for (auto &sample : samples)
    for (int i = 0; i < 20; ++i) sample.push_back(static_cast<float>(random.normal() * std::exp(4 * random.normal())));
  return samples;
}

TEST(RangeTable, PartsInAnyOrderAreOneRun) {
  const auto samples = random_samples(37);
  const std::string whole = range_table_text(table_of(samples, 0, 1));
  for (const std::size_t count : {1U, 2U, 4U, 7U, 37U})
    for (std::size_t start = 0; start < count; ++start) {
      RangeTable table;
      for (std::size_t k = 0; k < count; ++k) {
        const std::string text = range_table_text(table_of(samples, (start + k) % count, count));
        RangeTable part = parse_range_table(text).value();
        EXPECT_EQ(range_table_text(part), text);
        if (k == 0)
          table = std::move(part);
        else
          ASSERT_TRUE(table.merge(part));
      }
      EXPECT_EQ(range_table_text(table), whole) << count << " parts from " << start;
    }
}

TEST(RangeTable, OfAnotherNetworkIsNotMerged) {
  const auto samples = random_samples(4);
  RangeTable table = table_of(samples, 0, 1), other = table;
  other.model_sha256 = "else";
  EXPECT_FALSE(table.merge(other));
  other = table;
  other.values.erase("a");
  EXPECT_FALSE(table.merge(other));
  other.values["c"];
  EXPECT_FALSE(table.merge(other));
}

TEST(RangeTable, WhatIsNoneIsRefused) {
  const std::string good = range_table_text(table_of(random_samples(3), 0, 1));
  ASSERT_TRUE(parse_range_table(good));
  for (std::size_t length = 0; length + 1 < good.size(); length += 1 + good.size() / 200)
    EXPECT_FALSE(parse_range_table(good.substr(0, length))) << length;
  for (const char *text : {"", "[]", "{}", "null", "{\"format\":1}", "{\"format\":\"edgec ranges 2\"}"})
    EXPECT_FALSE(parse_range_table(text)) << text;
  const auto with = [](const std::string &half) {
    const std::string whole = R"({"minimum":0,"maximum":1,"infinite":false,"bins":[[5,1]]})";
    return R"({"format":"edgec ranges 1","model_sha256":"","samples":1,"values":{"a":[)" + whole + "," + half + "]}}";
  };
  EXPECT_TRUE(parse_range_table(with(R"({"minimum":-1,"maximum":1,"infinite":true,"bins":[]})")));
  for (const char *half : {R"({"minimum":2,"maximum":1,"infinite":false,"bins":[]})",
                           R"({"minimum":0,"maximum":1e99,"infinite":false,"bins":[]})",
                           R"({"minimum":0,"maximum":1,"infinite":false,"bins":[[16384,1]]})",
                           R"({"minimum":0,"maximum":1,"infinite":false,"bins":[[1]]})",
                           R"({"minimum":0,"maximum":1,"infinite":0,"bins":[]})", R"({"minimum":0})", "7"})
    EXPECT_FALSE(parse_range_table(with(half))) << half;
}

} // namespace
} // namespace edgec
