// What Relu and Clip clamp to, however their bounds are given, and codes that saturate there on their own.
#include "ir/clamp.h"

#include <gtest/gtest.h>

#include "ir/text.h"

namespace edgec {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The clamp of the node that gives y.
std::optional<Clamp> clamp_of(const std::string &constants, const std::string &node) {
  const auto graph = parse_graph("g (float[4] x, float v) => (float[4] y) " + constants + " { y = " + node + " }");
  EXPECT_TRUE(graph) << graph.error().message;
  return as_clamp(*graph, *graph->producer(graph->outputs()[0].value));
}

void expect_interval(const std::optional<Clamp> &clamp, double low, double high) {
  ASSERT_TRUE(clamp);
  EXPECT_EQ(clamp->low, low);
  EXPECT_EQ(clamp->high, high);
}

TEST(Clamp, IsReadFromOperandsAndAttributes) {
  expect_interval(clamp_of("", "Relu(x)"), 0, infinity);
  expect_interval(clamp_of("", "Clip(x)"), -infinity, infinity);
  expect_interval(clamp_of("", "Clip<min = -1.5, max = 6.0>(x)"), -1.5, 6);
  expect_interval(clamp_of("<float low = {-2}>", "Clip(x, low)"), -2, infinity);
  expect_interval(clamp_of("<float[1] high = {0.5}>", "Clip(x, , high)"), -infinity, 0.5);
  expect_interval(clamp_of("<double low = {1e-300}>", "Clip(x, low)"), 1e-300, infinity);
}

TEST(Clamp, NeedsConstantsOfReals) {
  EXPECT_FALSE(clamp_of("", "Clip(x, v)"));
  EXPECT_FALSE(clamp_of("<float[2] low = {0, 1}>", "Clip(x, low)"));
  EXPECT_FALSE(clamp_of("<int64 low = {0}>", "Clip(x, low)"));
  EXPECT_FALSE(clamp_of("", "Neg(x)"));
}

TEST(Clamp, CodesThatEndThereSaturateWithin) {
  Type codes = Type::tensor(DType::uint8, Dims{4});
  codes.quant = Quant{{0.5F}, {0}};
  EXPECT_TRUE(saturates_within(codes, {.low = 0}));
  EXPECT_TRUE(saturates_within(codes, {.low = 0, .high = 127.5}));
  EXPECT_FALSE(saturates_within(codes, {.low = 0, .high = 100}));
  EXPECT_TRUE(saturates_within(codes, {.low = -1}));
  EXPECT_FALSE(saturates_within(codes, {.low = 1}));
  codes.quant = Quant{{0.5F}, {10}};
  EXPECT_FALSE(saturates_within(codes, {.low = 0}));
  EXPECT_TRUE(saturates_within(codes, {}));
}

} // namespace
} // namespace edgec
