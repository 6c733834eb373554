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

/// A graph whose middle node reads `w` (and others) in some way, and the number of weights that it has.
struct Counted {
  const char *what, *constants, *nodes;
  std::uint64_t parameters;
};

class SizesCount : public testing::TestWithParam<Counted> {};

TEST_P(SizesCount, WeightsOnly) {
  const GraphSizes sizes = sizes_of(std::string(R"(<opset_import: ["" : 17]>
g (float[1,4] x, bool c) => (float[] y) <)") +
                                    GetParam().constants + ">\n{\n" + GetParam().nodes + "\n}\n");
  EXPECT_EQ(sizes.parameters, GetParam().parameters);
  std::uint64_t of_layers = 0;
  for (const LayerSizes &layer : sizes.layers)
    for (const TensorSizes &constant : layer.constants) of_layers += constant.parameter ? constant.elements : 0;
  EXPECT_EQ(of_layers, GetParam().parameters);
}

constexpr const char *square = "float[4,4] w = {1.0,2.0,3.0,4.0,5.0,6.0,7.0,8.0,9.0,1.0,2.0,3.0,4.0,5.0,6.0,7.0}";
constexpr const char *four = "float[4] w = {1.0,2.0,3.0,4.0}";

const Counted counted[] = {
    {"Initializer", square, "y = MatMul(x, w)", 16},
    {"ConstantNode", "", "w = Constant <value = float[4] {1.0,2.0,3.0,4.0}> () y = Mul(x, w)", 4},
    {"Captured", square,
     "y = If (c) <then_branch = t () => (float[] u) { u = MatMul(x, w) }, else_branch = e () => (float[] v) { v = "
     "Relu(x) }>",
     16},
    {"InABranch", "",
     "y = If (c) <then_branch = t () => (float[] u) <float[4] w = {1.0,2.0,3.0,4.0}> { u = Mul(x, w) }, else_branch = "
     "e () => (float[] v) { v = Relu(x) }>",
     4},
    {"ConstantNodesOfBothBranches", "",
     "y = If (c) <then_branch = t () => (float[] u) { w = Constant <value = float[4] {1.0,2.0,3.0,4.0}> () u = Mul(x, "
     "w) }, "
     "else_branch = e () => (float[] v) { w2 = Constant <value = float[4] {4.0,3.0,2.0,1.0}> () v = Add(x, w2) }>",
     8},
    {"CapturedConstantNode", "",
     "w = Constant <value = float[4] {1.0,2.0,3.0,4.0}> () "
     "y = If (c) <then_branch = t () => (float[] u) { u = Mul(x, w) }, else_branch = e () => (float[] v) { v = Relu(x) "
     "}>",
     4},
    {"BranchInABranch", "",
     "y = If (c) <then_branch = t () => (float[] u) { u = If (c) <then_branch = tt () => (float[] uu) <float[4] w = "
     "{1.0,2.0,3.0,4.0}> "
     "{ uu = Mul(x, w) }, else_branch = ee () => (float[] vv) { vv = Relu(x) }> }, else_branch = e () => (float[] v) { "
     "v = Relu(x) }>",
     4},
    {"BodyOfALoop", "int64 trips = {3}, bool go = {1}",
     "y = Loop (trips, go, x) <body = b (int64 i, bool cond, float[1,4] s) => (bool more, float[1,4] t) "
     "<float[4] w = {1.0,2.0,3.0,4.0}> { more = Identity(cond) t = Mul(s, w) }>",
     4},
    {"BodyOfAScan", "",
     "y = Scan (x) <num_scan_inputs = 1, body = b (float[4] r) => (float[4] t) <float[4] w = {1.0,2.0,3.0,4.0}> { t = "
     "Mul(r, w) }>",
     4},
    {"Embedding", square, "i = Constant <value = int64[2] {0, 1}> () e = Gather(w, i) y = Add(x, e)", 16},
    {"Clip", "float low = {0.0}, float high = {6.0}", "y = Clip(x, low, high)", 0},
    {"ClipByOneElement", "float[1] low = {0.0}", "y = Max(x, low)", 0},
    {"Epsilon", "float e = {0.001}", "y = Add(x, e)", 0},
    {"BiasOfOneNumber", "float[4,1] w = {1.0,2.0,3.0,4.0}, float[1] b = {0.5}", "y = Gemm(x, w, b)", 5},
    {"ScalesPerChannel", "int8[4] w = {1,2,3,4}, float[4] s = {1.0,2.0,3.0,4.0}, int8[4] z = {0,0,0,0}",
     "d = DequantizeLinear <axis = 0> (w, s, z) y = Mul(x, d)", 4},
    {"FactorsOfAResize", "float[4] factors = {1.0,1.0,2.0,2.0}, int64[4] shape = {1,1,2,2}",
     "r = Reshape(x, shape) y = Resize(r, , factors)", 0},
    {"ShapesAndAxes", "int64[2] shape = {2,2}, int64[1] axes = {0}", "r = Reshape(x, shape) y = Unsqueeze(r, axes)", 0},
    {"Statistics",
     "float[4] s = {1.0,2.0,3.0,4.0}, float[4] b = {0.0,0.0,0.0,1.0}, float[4] m = {0.0,0.0,1.0,0.0}, float[4] v = "
     "{1.0,1.0,1.0,2.0}",
     "y = BatchNormalization(x, s, b, m, v)", 16},
    {"ReadByNobody", four, "y = Relu(x)", 0},
    {"TwoLayers", "float[4] w = {1.0,2.0,3.0,4.0}, float[4] u = {4.0,2.0,3.0,4.0}", "a = Mul(x, w) y = Add(a, u)", 8},
};
INSTANTIATE_TEST_SUITE_P(Places, SizesCount, testing::ValuesIn(counted),
                         [](const auto &place) { return place.param.what; });

TEST(Sizes, AWeightThatTwoLayersReadCountsOnce) {
  const GraphSizes sizes = sizes_of(R"(<opset_import: ["" : 17]>
g (float[1,4] x) => (float[] y) <float[4] w = {1.0, 2.0, 3.0, 4.0}> { a = Mul(x, w) y = Add(a, w) }
)");
  EXPECT_EQ(sizes.parameters, 4U);
  EXPECT_EQ(sizes.layers.size(), 2U);
}

} // namespace
} // namespace edgec
