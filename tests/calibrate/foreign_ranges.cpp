// Tables of AIMET, QNN and TensorRT say the ranges that their codes reach.
#include "calibrate/foreign_ranges.h"

#include <gtest/gtest.h>

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

} // namespace
} // namespace edgec
