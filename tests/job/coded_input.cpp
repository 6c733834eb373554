#include "job/coded_input.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "schemes/share/options.h"

namespace edgec {
namespace {

TEST(CodedInput, SharesTheRealsOfLayersBesideValuesThatAreCodes) {
  const auto graph = parse_graph(R"(
    g (float[1,4] x) => (float[1,2] y)
      <float s = {0.1}, uint8 z = {0}, float[4,2] w = {1, 2, 3, 4, 5, 6, 7, 8}, uint8[1,4]{0.1,0} c, float[1,4] r>
      { c = QuantizeLinear(x, s, z)  r = DequantizeLinear(c, s, z)  y = MatMul(r, w) })");
  ASSERT_TRUE(graph) << graph.error().message;
  Settings settings;
  settings = ShareOptions{.bits = 4};
  const auto taken = take_codes(*graph, settings);
  ASSERT_TRUE(taken) << taken.error().message;
  EXPECT_FALSE(taken->uncodes);
}

} // namespace
} // namespace edgec
