// What is said otherwise computes the same.
#include "job/spellings.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "data/samples.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "schemes/stored/codes.h"
#include "support/random.h"

namespace edgec {
namespace {

/// y = MatMul(x, w), w behind DequantizeLinear of random codes.
Graph product(NumberSpec number, std::int64_t k, std::int64_t n, std::int64_t block, Random &random) {
  Graph graph = parse_graph(fmt::format(R"(<opset_import: ["" : 21]>
    g (float[3,{}] x) => (float[3,{}] y) <float[1] w = {{1}}> {{ y = MatMul(x, w) }})",
                                        k, n))
                    .value();
  const NodeId node = graph.nodes().front();
  const auto rows = static_cast<std::size_t>(n), columns = static_cast<std::size_t>(k);
  graph.set_input(node, 1, graph.add_constant(Tensor::of({k, n}, std::vector<float>(rows * columns)), "w"));
  Grid grid(rows, columns, static_cast<std::size_t>(block));
  for (float &scale : grid.scales) scale = static_cast<float>(0.01 + 0.001 * static_cast<double>(random.below(100)));
  for (std::int32_t &zero : grid.zeros)
    zero =
        number.symmetric ? 0 : static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(number.high()) + 1));
  std::vector<std::int16_t> codes;
  for (std::size_t i = 0; i < rows * columns; ++i)
    codes.push_back(static_cast<std::int16_t>(
        number.low() + static_cast<int>(random.below(static_cast<std::uint64_t>(number.high() - number.low()) + 1))));
  const LineLayout layout{.axis = 0, .along = block > 0};
  const ValueId reals = add_codes(graph, graph.node(node).inputs[1], layout, number, grid, codes);
  graph.set_input(node, 1, reals);
  graph.remove_dead();
  EXPECT_TRUE(graph.sort());
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

std::vector<float> run(const Graph &graph, std::int64_t k) {
  install_function_bodies(nullptr); // of onnxruntime's operators
  Random random(9);
  std::vector<float> x(static_cast<std::size_t>(3 * k));
  for (float &value : x) value = static_cast<float>(random.normal());
  const auto y = Runner(graph, all_ops(), {}).run_tensors(Sample{Tensor::of({3, k}, std::move(x))});
  EXPECT_TRUE(y) << y.error().message;
  return to_floats(y.value().front());
}

std::size_t count(const Graph &graph, std::string_view op) {
  std::size_t found = 0;
  for (const NodeId id : graph.nodes()) found += graph.node(id).op == op ? 1 : 0;
  return found;
}

TEST(BitProducts, ComputeWhatTheCodesStandFor) {
  Random random(4);
  for (const NumberSpec number : {NumberSpec{4, true}, NumberSpec{4, false}, NumberSpec{8, true}, NumberSpec{8, false}})
    for (const std::int64_t block : {16, 32, 64})
      for (const std::int64_t k : {1, 16, 31, 48, 100})
        for (const std::int64_t n : {1, 5}) {
          const Graph before = product(number, k, n, block, random);
          Graph after = before;
          ASSERT_EQ(name_bit_products(after), 1U);
          ASSERT_TRUE(after.sort());
          EXPECT_EQ(count(after, "DequantizeLinear"), 0U);
          const auto wanted = run(before, k), found = run(after, k);
          for (std::size_t i = 0; i < wanted.size(); ++i)
            EXPECT_NEAR(found[i], wanted[i], 1e-4 * (1 + std::abs(wanted[i])))
                << number.bits << " " << block << " " << k;
        }
}

TEST(BitProducts, StayWhereOnnxruntimeHasNoSuchBlocks) {
  Random random(5);
  for (const std::int64_t block : {8, 24}) {
    Graph graph = product({4, true}, 48, 3, block, random);
    EXPECT_EQ(name_bit_products(graph), 0U) << block;
    EXPECT_EQ(count(graph, "MatMul"), 1U);
  }
}

TEST(FloatBiases, AreTheRealsOfTheCodes) {
  Graph graph = parse_graph(R"(<opset_import: ["" : 13]>
    g (uint8[1,2,3,3]{0.5,120} x) => (float[1,2,3,3] y)
    <int8[2,2,1,1]{axis=0; 0.25,0; 0.125,0} w = {1, 2, 3, 4}, int32[2]{axis=0; 0.125,0; 0.0625,0} b = {100, -2000}>
    { y = Conv<kernel_shape = [1, 1]>(x, w, b) })")
                    .value();
  give_float_biases(graph);
  const Tensor *bias = graph.constant(graph.node(graph.nodes().front()).inputs[2]);
  ASSERT_NE(bias, nullptr);
  EXPECT_EQ(bias->dtype, DType::float32);
  EXPECT_EQ(to_doubles(*bias), (std::vector<double>{12.5, -125}));
}

} // namespace
} // namespace edgec
