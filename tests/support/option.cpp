#include "support/option.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace edgec {
namespace {

/// What `text` assigns to an option of `unit`; nothing where it is an error.
template <class T>
std::optional<T> assigned(Unit unit, const std::string &text) {
  T value{};
  Option option;
  option.names = "--it";
  option.value = "V";
  option.target = &value;
  option.unit = unit;
  return option.assign({text}) ? std::optional(value) : std::nullopt;
}

TEST(Quantity, BytesInEveryUnitAndSpelling) {
  const std::pair<const char *, double> units[] = {
      {"", 1},        {"k", 1e3},        {"m", 1e6},           {"g", 1e9},
      {"ki", 1024.0}, {"mi", 1048576.0}, {"gi", 1073741824.0}, {"t", 1e12}};
  for (const auto &[unit, scale] : units) {
    for (const char *number : {"1", "40", "690000", "1.2", "0.5", "3e2"}) {
      for (const char *space : {"", " "}) {
        for (const char *b : {"", "b", "B"}) {
          for (const bool upper : {false, true}) {
            std::string text = fmt::format("{}{}{}{}", number, space, unit, b);
            if (upper)
              std::ranges::transform(text, text.begin(),
                                     [](char c) { return c == 'e' ? c : static_cast<char>(std::toupper(c)); });
            const double expected = std::round(std::stod(number) * scale);
            const bool whole = scale > 1 || std::stod(number) == expected;
            const auto found = assigned<std::int64_t>(Unit::bytes, text);
            ASSERT_EQ(found.has_value(), whole) << text;
            if (whole) {
              EXPECT_EQ(static_cast<double>(*found), expected) << text;
            }
          }
        }
      }
    }
  }
}

TEST(Quantity, WhatIsNoSizeIsRefused) {
  for (const char *text : {"", "KB", "40XB", "40KBB", "40 K B", "4,0KB", "1..2MB", "inf", "nan KB", "0x10KB", "1e300GB",
                           "40%", "40i", "40ib", "ten"})
    EXPECT_FALSE(assigned<std::int64_t>(Unit::bytes, text)) << text;
}

TEST(Quantity, TimesAreMillisecondsUnlessTheySayOtherwise) {
  EXPECT_EQ(assigned<double>(Unit::milliseconds, "2.5"), 2.5);
  EXPECT_EQ(assigned<double>(Unit::milliseconds, "2.5ms"), 2.5);
  EXPECT_EQ(assigned<double>(Unit::milliseconds, "800 us"), 0.8);
  EXPECT_EQ(assigned<double>(Unit::milliseconds, "1.5s"), 1500);
  for (const char *text : {"soon", "1ns", "5%", "ms"}) EXPECT_FALSE(assigned<double>(Unit::milliseconds, text)) << text;
}

TEST(Quantity, FractionsAndPointsTakePercents) {
  EXPECT_EQ(assigned<double>(Unit::fraction, "0.99"), 0.99);
  EXPECT_EQ(assigned<double>(Unit::fraction, "99%"), 0.99);
  EXPECT_EQ(assigned<double>(Unit::fraction, "99.5 %"), 0.995);
  EXPECT_EQ(assigned<double>(Unit::points, "1"), 1);
  EXPECT_EQ(assigned<double>(Unit::points, "0.5%"), 0.5);
  EXPECT_EQ(parse_fraction("50%"), 0.5);
  for (const char *text : {"%", "5%%", "5 % %", "5KB", "%5", ""}) {
    EXPECT_FALSE(assigned<double>(Unit::fraction, text)) << text;
    EXPECT_FALSE(assigned<double>(Unit::points, text)) << text;
    EXPECT_FALSE(assigned<double>(Unit::none, text)) << text;
  }
  EXPECT_FALSE(assigned<double>(Unit::none, "5%"));
}

struct Rows {
  bool on = false;
  std::string method = "plain", mode = "slow";
  double share = 0.5;
  std::optional<double> limit;
  std::vector<std::string> names;
  Options options{"job", "", ""};

  Rows() {
    options.flag("--on", &on, "").loses().records();
    options.add("--method", "M", &method, "").one_of({"plain", "fine"}).needs("on").records();
    options.add("--share", "S", &share, "").needs("on").needs("method=fine").records_changes();
    options.add("--limit", "L", &limit, "").loses().records();
    options.add("--mode", "M", &mode, "").needs("lossy").needs("method!=fine");
    options.add("--name", "N", &names, "").needs("on|limit").records();
  }
  Rows &set(const std::string &key, std::vector<std::string> texts) {
    const Status status = options.find(key)->assign(std::move(texts));
    EXPECT_TRUE(status) << status.error().message;
    return *this;
  }
};

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(OptionRows, RecordWhatIsInEffect) {
  EXPECT_EQ(Rows().options.effective(), Pairs{});
  EXPECT_EQ(Rows().set("on", {"true"}).options.effective(), (Pairs{{"on", "true"}, {"method", "plain"}}));
  EXPECT_EQ(Rows().set("on", {"false"}).options.effective(), Pairs{});
  EXPECT_EQ(Rows().set("method", {"fine"}).options.effective(), Pairs{}); // without --on
  EXPECT_EQ(Rows().set("on", {"true"}).set("method", {"fine"}).set("share", {"0.5"}).options.effective(),
            (Pairs{{"on", "true"}, {"method", "fine"}}));
  EXPECT_EQ(Rows().set("on", {"true"}).set("method", {"fine"}).set("share", {"0.25"}).options.effective(),
            (Pairs{{"on", "true"}, {"method", "fine"}, {"share", "0.25"}}));
  EXPECT_EQ(Rows().set("limit", {"3"}).set("name", {"a", "b"}).options.effective(),
            (Pairs{{"limit", "3"}, {"name", "a"}, {"name", "b"}}));
}

TEST(OptionRows, SayWhyOneHasNoEffect) {
  using Sentences = std::vector<std::string>;
  EXPECT_EQ(Rows().set("on", {"true"}).set("method", {"fine"}).set("share", {"1"}).options.idle(), Sentences{});
  EXPECT_EQ(Rows().set("method", {"fine"}).options.idle(), Sentences{"--method has no effect without --on"});
  EXPECT_EQ(Rows().set("on", {"true"}).set("share", {"1"}).options.idle(),
            Sentences{"--share has no effect without --method fine"});
  EXPECT_EQ(Rows().set("name", {"a"}).options.idle(), Sentences{"--name has no effect without --on or --limit"});
  EXPECT_EQ(Rows().set("mode", {"slow"}).options.idle(),
            Sentences{"--mode has no effect without a flag that compresses, such as --int8"});
  EXPECT_EQ(Rows().set("on", {"true"}).set("method", {"fine"}).set("mode", {"slow"}).options.idle(),
            Sentences{"--mode has no effect with --method fine"});
}

TEST(OptionRows, CheckWhatWasAssigned) {
  std::string text;
  Options options("job", "", "");
  options.add("--even", "N", &text, "").finally([&] {
    return text.size() % 2 == 0 ? Status() : usage_error("--even: odd");
  });
  EXPECT_TRUE(options.find("even")->assign({"ab"}));
  const Status odd = options.find("even")->assign({"abc"});
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().message, "--even: odd");
}

} // namespace
} // namespace edgec
