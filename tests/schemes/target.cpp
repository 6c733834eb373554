// --target: each runtime gets the numbers that it computes on, and keeps floats where it has no integers.
#include "schemes/int8/target.h"

#include <algorithm>

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "ir/text.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

class Noise4 : public SampleSet {
public:
  std::size_t size() const override { return 16; }
  std::string label(std::size_t index) const override { return fmt::format("sample {}", index); }
  std::string description() const override { return "noise"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(50 + index);
    std::vector<float> values(4 * 25);
    for (float &value : values) value = static_cast<float>(random.normal());
    return Sample{Tensor::of({1, 4, 5, 5}, std::move(values))};
  }
};

/// Conv, Relu, HardSwish, Conv, sum with the first's.
Graph network() {
  Graph graph = parse_graph(R"(<opset_import: ["" : 17]>
    g (float[1,4,5,5] x) => (float[1,4,5,5] z)
    <float[1] w1 = {1}, float[1] w2 = {1}, float[4] b = {.1, -.2, .3, -.4}> {
      [first] a = Conv(x, w1, b)
      [relu] r = Relu(a)
      [swish] s = HardSwish(r)
      [second] c = Conv(s, w2, b)
      [sum] d = Add(c, r)
      [last] z = Conv(d, w1)
    })")
                    .value();
  Random random(3);
  for (const NodeId id : graph.nodes())
    if (graph.node(id).op == "Conv") {
      std::vector<float> values(16);
      for (float &value : values) value = static_cast<float>(random.normal());
      graph.set_input(id, 1, graph.add_constant(Tensor::of({4, 4, 1, 1}, std::move(values))));
    }
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

struct Quantized {
  Graph graph;
  std::vector<std::string> left; ///< "node: why"
};

Quantized quantized(const std::string &target) {
  const Noise4 samples;
  auto outcome = run_pass("quantize-int8", network(), samples, {"int8", "target=" + target, "effort=fast"});
  Quantized result{std::move(outcome.graph), {}};
  for (const PassNote &note : outcome.notes)
    if (note.skipped) result.left.push_back(note.node + ": " + note.text);
  EXPECT_GT(sqnr(network(), result.graph, samples, 4), 25) << target;
  return result;
}

/// Of every node with quantized data: its types.
template <class Check>
void each_activation(const Graph &graph, Check &&check) {
  for (const ValueId id : graph.values()) {
    const Type &type = graph.value(id).type;
    if (type.quant && graph.constant(id) == nullptr) check(type);
  }
}

TEST(Target, NamesAreDifferentAndFound) {
  for (const Target &target : all_targets()) EXPECT_EQ(find_target(target.name), &target);
  EXPECT_EQ(find_target("abacus"), nullptr);
}

TEST(Target, OperatorsAreOnesThatThereAre) {
  for (const Target &target : all_targets())
    for (const std::string_view name : target.integer_operators) {
      const OpDef *op = all_ops().find("", name);
      ASSERT_NE(op, nullptr) << target.name << " " << name;
      EXPECT_TRUE(op->quant == QuantRule::own_scale || op->quant == QuantRule::fixed_range) << name;
    }
}

TEST(Target, ActivationsHaveTheNumbersThatItTakes) {
  for (const char *name : {"ort", "openvino", "generic"})
    each_activation(quantized(name).graph, [&](const Type &type) { EXPECT_EQ(type.dtype, DType::uint8) << name; });
  each_activation(quantized("tensorrt").graph, [](const Type &type) {
    EXPECT_EQ(type.dtype, DType::int8);
    EXPECT_EQ(type.quant->zero_point(), 0);
  });
  bool moved = false;
  each_activation(quantized("tflite").graph, [&](const Type &type) {
    EXPECT_EQ(type.dtype, DType::int8);
    moved = moved || type.quant->zero_point() == -128; // behind Relu
  });
  EXPECT_TRUE(moved);
}

TEST(Target, WeightsOfSevenBitsWhereProductsSaturate) {
  std::int64_t largest = 0;
  const Graph graph = quantized("ort-avx2").graph;
  for (const ValueId id : graph.values())
    if (const Tensor *codes = graph.constant(id); codes != nullptr && codes->dtype == DType::int8)
      for (const std::int64_t code : to_int64s(*codes)) largest = std::max(largest, std::abs(code));
  EXPECT_EQ(largest, 63);
}

TEST(Target, WhatItHasNoIntegersForStaysFloatAndIsNamed) {
  for (const char *name : {"ort", "openvino", "tensorrt", "generic"}) {
    const auto left = quantized(name).left;
    EXPECT_NE(std::ranges::find(left, fmt::format("swish: {} computes HardSwish on floats", name)), left.end()) << name;
  }
  const auto left = quantized("tflite").left;
  EXPECT_TRUE(std::ranges::none_of(left, [](const std::string &note) { return note.starts_with("swish"); }));
}

TEST(Target, ReluStaysFloatWhereItsLayerComputesIt) {
  const Graph graph = quantized("tensorrt").graph;
  const auto nodes = graph.nodes();
  const auto relu = std::ranges::find_if(nodes, [&](NodeId id) { return graph.node(id).is("Relu"); });
  ASSERT_NE(relu, nodes.end());
  EXPECT_FALSE(graph.value(graph.node(*relu).inputs[0]).type.quant);
  EXPECT_FALSE(graph.value(graph.node(*relu).outputs[0]).type.quant);
}

} // namespace
} // namespace edgec
