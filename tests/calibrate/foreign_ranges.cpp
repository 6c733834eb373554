// Tables of AIMET, QNN and TensorRT say the ranges that their codes reach.
#include "calibrate/foreign_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

namespace edgec {
namespace {

RangeTable table_of(std::string_view text) {
  const auto found = parse_foreign_ranges(text);
  EXPECT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found && *found) << text;
  EXPECT_FALSE((*found)->complete);
  EXPECT_TRUE((*found)->model_sha256.empty());
  return **found;
}

void expect_range(const RangeTable &table, const char *name, double low, double high) {
  const auto found = table.values.find(name);
  ASSERT_NE(found, table.values.end()) << name;
  for (const ValueStatistics &half : found->second) {
    EXPECT_FLOAT_EQ(half.minimum, static_cast<float>(low)) << name;
    EXPECT_FLOAT_EQ(half.maximum, static_cast<float>(high)) << name;
  }
}

TEST(ForeignRanges, EncodingsByName) {
  const RangeTable table = table_of(R"({"version": "0.6.1", "activation_encodings": {
    "a": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "min": -1.5, "max": 2.5, "offset": -96, "scale": 0.0157}],
    "b": [{"bitwidth": 8, "scale": 0.5, "offset": -10}],
    "c": [{"bitwidth": 8, "min": -1, "max": 1}, {"bitwidth": 8, "min": -0.5, "max": 3}],
    "d": [{"bitwidth": 16, "dtype": "float"}]},
    "param_encodings": {"w": [{"bitwidth": 8, "min": -1, "max": 1}]}})");
  EXPECT_EQ(table.values.size(), 3U);
  expect_range(table, "a", -1.5, 2.5);
  expect_range(table, "b", -5, 122.5);
  expect_range(table, "c", -1, 3); // encodings per channel cover all of them
}

TEST(ForeignRanges, EncodingsInLists) {
  expect_range(table_of(R"({"version": "1.0.0", "activation_encodings": [
    {"name": "a", "bw": 8, "dtype": "INT", "enc_type": "PER_TENSOR", "is_sym": false, "offset": [-128], "scale": [0.25]}]})"),
               "a", -32, 31.75);
  const RangeTable table = table_of(R"({"version": "2.0.0", "encodings": [
    {"name": "a", "output_dtype": "uint8", "y_scale": 0.5, "y_zero_point": 3},
    {"name": "b", "output_dtype": "int8", "y_scale": 0.5},
    {"name": "c", "output_dtype": "float16", "y_scale": 1}]})");
  EXPECT_EQ(table.values.size(), 2U);
  expect_range(table, "a", -1.5, 126);
  expect_range(table, "b", -64, 63.5);
}

TEST(ForeignRanges, CalibrationCaches) {
  // 3f800000 is 1, 3c010a14 is .0078759...
  const RangeTable table = table_of("TRT-8601-EntropyCalibration2\nx: 3f800000\n(Unnamed Layer* 3) [Conv]_output: "
                                    "3c010a14\r\nlayer: one: 40000000\n");
  EXPECT_EQ(table.values.size(), 3U);
  expect_range(table, "x", -127, 127);
  expect_range(table, "(Unnamed Layer* 3) [Conv]_output", -127 * 0x1.021428p-7, 127 * 0x1.021428p-7);
  expect_range(table, "layer: one", -254, 254);
}

TEST(ForeignRanges, OtherTextIsNoneOfThem) {
  for (const char *text : {"", "{}", "[1]", "not json", R"({"format": "edgec ranges 1"})"}) {
    const auto found = parse_foreign_ranges(text);
    ASSERT_TRUE(found) << text;
    EXPECT_FALSE(*found) << text;
  }
}

TEST(ForeignRanges, WhatIsWrongWithThemIsSaid) {
  for (const char *text :
       {"TRT-1\nx 3f800000", "TRT-1\nx: 3f8000zz", "TRT-1\nx: 7fc00000", R"({"activation_encodings": {"a": [{}]}})",
        R"({"activation_encodings": [{"name": "a"}]})", R"({"encodings": [{"name": 1}]})",
        R"({"activation_encodings": {"a": [{"min": 2, "max": 1}]}})"}) {
    const auto found = parse_foreign_ranges(text);
    ASSERT_FALSE(found) << text;
    EXPECT_EQ(found.error().code, Code::bad_input);
  }
}

/// Values of which two halves of samples saw these numbers.
RangeTable own_table(const std::map<std::string, std::array<std::vector<float>, 2>> &seen) {
  RangeTable table;
  for (const auto &[name, halves] : seen)
    for (std::size_t half = 0; half < 2; ++half) {
      ValueStatistics &statistics = table.values[name][half];
      statistics.histogram = std::make_shared<LogHistogram>();
      for (const float x : halves[half]) {
        statistics.minimum = std::min(statistics.minimum, x);
        statistics.maximum = std::max(statistics.maximum, x);
        statistics.histogram->add({&x, 1});
      }
    }
  return table;
}

TEST(ForeignRanges, WhatIsWrittenIsReadAgain) {
  RangeTable table = own_table({{"a", {{{-1, 0.5F}, {2, 0.25F}}}}, {"b: c", {{{0, 4}, {3, 1}}}}, {"zero", {}}});
  table.values["mask"] = table.values["a"];
  table.values["mask"][1].infinite = true;
  for (const ForeignTable &format : foreign_tables()) {
    const auto text = foreign_ranges_text(table, format, {.method = RangeMethod::minmax});
    ASSERT_TRUE(text) << text.error().message;
    const RangeTable again = table_of(*text);
    EXPECT_EQ(again.values.size(), 2U) << format.name; // none of what was not seen, or is infinite
    const bool symmetric = format.name == "tensorrt";
    const auto near = [&](const char *name, float low, float high) {
      for (const ValueStatistics &half : again.values.at(name)) {
        EXPECT_NEAR(half.minimum, symmetric ? -high : low, (high - low) / 255) << format.name;
        EXPECT_NEAR(half.maximum, high, (high - low) / 255) << format.name;
      }
    };
    near("a", -1, 2);
    near("b: c", 0, 4);
    // Written once more, the ranges are the same: they are what codes reach.
    EXPECT_EQ(foreign_ranges_text(again, format, {.method = RangeMethod::minmax}).value(), *text) << format.name;
  }
}

TEST(ForeignRanges, NamesThatACacheCannotHoldAreRefused) {
  const RangeTable table = own_table({{"a\nb", {{{-1, 1}, {0, 1}}}}});
  EXPECT_EQ(foreign_ranges_text(table, foreign_tables()[2], {}).error().message,
            "value a\nb: a calibration cache has no words for line breaks in names");
  EXPECT_TRUE(foreign_ranges_text(table, foreign_tables()[0], {}));
}

} // namespace
} // namespace edgec
