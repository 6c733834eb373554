#include "measure/sizes.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"

namespace edgec {
namespace {

GraphSizes sizes_of(std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().message;
  const Status inferred = infer_types(*graph, all_ops());
  EXPECT_TRUE(inferred) << inferred.error().message;
  return measure_sizes(*graph, all_ops());
}

/// A product with 6 weights, two of them 0, four different ones.
constexpr std::string_view product = R"(<opset_import: ["" : 13]>
g (float[N,3] x) => (float[N,2] y)
  <float[3,2] w = {0.0, 1.0, 2.0, 0.0, 2.0, -1.0}, int64[2] shape = {-1, 2}>
{
  z = MatMul(x, w)
  y = Reshape(z, shape)
}
)";

TEST(Sizes, CountParametersButNoShapes) {
  const GraphSizes sizes = sizes_of(product);
  EXPECT_EQ(sizes.parameters, 6U);
  EXPECT_EQ(sizes.nonzero_parameters, 4U);
  EXPECT_EQ(sizes.parameter_bytes, 24U);
  EXPECT_EQ(sizes.constant_bytes, 24U + 16U);
  EXPECT_EQ(sizes.nodes, 2U);
  EXPECT_EQ(sizes.operators.at("Reshape"), 1U);
}

TEST(Sizes, OfALayerWithASymbolicBatchTakenAsOne) {
  const GraphSizes sizes = sizes_of(product);
  ASSERT_EQ(sizes.layers.size(), 1U);
  const LayerSizes &layer = sizes.layers[0];
  EXPECT_EQ(layer.op, "MatMul");
  EXPECT_EQ(layer.output, (Dims{1, 2}));
  EXPECT_EQ(layer.macs, 6);
  EXPECT_EQ(sizes.macs, 6);
  ASSERT_EQ(layer.constants.size(), 1U);
  EXPECT_EQ(layer.constants[0].distinct, 4U);
  EXPECT_EQ(layer.constants[0].bits, 32);
  EXPECT_FALSE(layer.integer);
}

TEST(Sizes, AQuantizedZeroIsTheZeroPoint) {
  const GraphSizes sizes = sizes_of(R"(<opset_import: ["" : 13]>
g (uint8[1,2]{0.5,3} x) => (uint8[1,2]{0.5,3} y)
  <uint8[2,2]{0.25,128} w = {128, 0, 128, 255}>
{
  y = MatMul(x, w)
}
)");
  EXPECT_EQ(sizes.parameters, 4U);
  EXPECT_EQ(sizes.nonzero_parameters, 2U);
  EXPECT_EQ(sizes.parameter_bytes, 4U);
  ASSERT_EQ(sizes.layers.size(), 1U);
  EXPECT_TRUE(sizes.layers[0].integer);
}

} // namespace
} // namespace edgec
