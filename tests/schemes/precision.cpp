// How many bits what kind of value gets: inputs, and what is between layers, 8 or 16; 8 where these hold it exactly.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

/// Noise; multiples of `step` where that is not 0.
class Images : public SampleSet {
public:
  explicit Images(float step) : step_(step) {}
  [[nodiscard]] std::size_t size() const override { return 24; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(1000 + index);
    std::vector<float> image(3 * 8 * 8);
    for (float &value : image) {
      value = static_cast<float>(random.normal());
      if (step_ > 0) value = step_ * std::nearbyint(value / step_);
    }
    return Sample{Tensor::of({1, 8, 8, 3}, std::move(image))};
  }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "noise"; }

private:
  float step_;
};

Graph network() {
  Graph graph = parse_graph(R"(
    g (float[1,8,8,3] x, float[12,3,3,3] a, float[12] ab, float[8,12,1,1] b, float[8] bb, float[5,8] c, float[5] cb) => (float[1,5] z) <int64[2] flat = {1, 8}> {
      [moved] n = Transpose<perm = [0, 3, 1, 2]>(x)
      [first] s = Conv(n, a, ab)
      r = Relu(s)
      [second] t = Conv(r, b, bb)
      u = Relu(t)
      p = GlobalAveragePool(u)
      q = Reshape(p, flat)
      [dense] z = Gemm<transB = 1>(q, c, cb)
    })")
                    .value();
  graph.opsets[""] = 21;
  const std::vector<ValueId> inputs = graph.inputs();
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    Random random(i);
    const Dims dims = *graph.value(inputs[i]).type.concrete();
    std::vector<double> values(static_cast<std::size_t>(*element_count(dims)));
    for (double &value : values) value = 0.4 * random.normal();
    graph.replace_uses(inputs[i],
                       graph.add_constant(from_doubles(DType::float32, dims, values), graph.value(inputs[i]).name));
    graph.remove(inputs[i]);
  }
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

Graph quantize(const Graph &before, Words words, const Images &images, int threads = 1) {
  Graph graph = before;
  words.emplace_back("int8");
  Job job = job_of(images, words);
  job.threads = threads;
  const auto report = run_scheme("quantize-int8", graph, job);
  EXPECT_TRUE(report) << report.error().message;
  return graph;
}

const Node &layer(const Graph &graph, std::string_view label) {
  for (const NodeId id : graph.nodes())
    if (graph.node(id).label() == label) return graph.node(id);
  ADD_FAILURE();
  std::abort();
}

DType read_through_dequantize(const Graph &graph, ValueId operand) {
  const Node *node = graph.producer(operand);
  return node != nullptr && node->is("DequantizeLinear") ? graph.value(node->inputs[0]).type.dtype : DType::undefined;
}

double sqnr(const Graph &a, const Graph &b, const Images &images) {
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < 16; ++i) {
    const Sample sample = *images.load(100 + i);
    const auto x = to_floats(Runner(a, all_ops(), {}).run_tensors(sample)->front());
    const auto y = to_floats(Runner(b, all_ops(), {}).run_tensors(sample)->front());
    for (std::size_t k = 0; k < x.size(); ++k) signal += std::pow(x[k], 2), noise += std::pow(x[k] - y[k], 2);
  }
  return 10 * std::log10(signal / noise);
}

TEST(InputBits, SixteenReachTheFirstLayerAsRealsAndItsWeightsAndBiasStayCodes) {
  const Images images(0);
  const Graph before = network(), after = quantize(before, {"input-bits=16"}, images);
  EXPECT_EQ(read_through_dequantize(after, layer(after, "moved").inputs[0]), DType::uint16);
  const Node &first = layer(after, "first");
  EXPECT_EQ(read_through_dequantize(after, first.inputs[1]), DType::int8);
  EXPECT_EQ(read_through_dequantize(after, first.inputs[2]), DType::int32);
  const Node &second = layer(after, "second");
  for (const auto &[operand, dtype] : {std::pair{0, DType::uint8}, {1, DType::int8}, {2, DType::int32}})
    EXPECT_EQ(after.value(second.inputs[static_cast<std::size_t>(operand)]).type.dtype, dtype);
  const auto step = [](const Graph &graph) {
    return graph.constant(graph.node(graph.nodes().front()).inputs[1])->as<float>()[0];
  };
  const Graph coarse = quantize(before, {"input-bits=8"}, images);
  ASSERT_TRUE(after.node(after.nodes().front()).is("QuantizeLinear") &&
              coarse.node(coarse.nodes().front()).is("QuantizeLinear"));
  EXPECT_LT(200 * step(after), step(coarse));
  EXPECT_GT(sqnr(before, after, images), 40);
}

TEST(InputBits, SixteenAreNotTakenWhereEightHoldEveryValue) {
  const Images images(0.125F);
  const Graph before = network(), after = quantize(before, {"input-bits=16"}, images);
  const Type &codes = after.value(layer(after, "first").inputs[0]).type;
  ASSERT_TRUE(codes.quant);
  EXPECT_EQ(codes.dtype, DType::uint8);
  const float parts = 0.125F / codes.quant->scale();
  EXPECT_NEAR(parts, std::round(parts), 1e-4);
  EXPECT_EQ(to_text(after), to_text(quantize(before, {"input-bits=8"}, images)));
}

TEST(InputBits, SameBytesForAnyNumberOfThreads) {
  const Images images(0);
  const Graph before = network();
  EXPECT_EQ(to_text(quantize(before, {"input-bits=16"}, images, 1)),
            to_text(quantize(before, {"input-bits=16"}, images, 3)));
}

TEST(ActivationBits, SixteenReachEveryLayerAsReals) {
  for (const char *effort : {"effort=fast", "effort=default"}) {
    const Images images(0);
    const Graph before = network(), coarse = quantize(before, {effort}, images),
                after = quantize(before, {effort, "activation-bits=16"}, images);
    for (const char *label : {"first", "second", "dense"}) {
      EXPECT_EQ(read_through_dequantize(after, layer(after, label).inputs[1]), DType::int8) << label;
      EXPECT_EQ(after.value(layer(after, label).outputs[0]).type.dtype, DType::float32) << label;
    }
    std::size_t wide = 0;
    for (const ValueId id : after.values()) {
      const DType dtype = after.value(id).type.dtype;
      EXPECT_NE(dtype, DType::uint8);
      wide += dtype == DType::uint16 && after.constant(id) == nullptr ? 1 : 0;
    }
    EXPECT_EQ(wide, 4U); // the input, and what each of the layers reads: one of them after the pool
    EXPECT_GT(sqnr(before, after, images), sqnr(before, coarse, images) + 4) << effort;
  }
}

TEST(ActivationBits, WhatEightHoldExactlyKeepsThem) {
  const Images images(1);
  const Graph after = quantize(network(), {"activation-bits=16"}, images);
  EXPECT_TRUE(
      std::ranges::any_of(after.values(), [&](ValueId id) { return after.value(id).type.dtype == DType::uint8; }));
}

TEST(Overrides, OneLayerOneTypeTheEndsAndLaterRulesWin) {
  const Images images(0);
  const Graph before = network();
  struct Asked {
    Words words;
    std::vector<const char *> float_layers;
    DType weight = DType::int8; // of what is not float
  };
  const std::vector<Asked> all{
      {{"keep-float=second"}, {"second"}},        {{"keep-float=.*on.*"}, {"second"}},
      {{"keep-float=Conv"}, {"first", "second"}}, {{"keep-float=first"}, {"first"}},
      {{"keep-float=last"}, {"dense"}},           {{"precision=Conv=float", "precision=first=int8"}, {"second"}},
      {{"precision=.*=int4"}, {}, DType::int4}};
  for (const Asked &asked : all) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(asked.words, " ")));
    const Graph after = quantize(before, asked.words, images);
    for (const char *label : {"first", "second", "dense"}) {
      const Node &node = layer(after, label);
      const bool is_float = std::ranges::count(asked.float_layers, std::string_view(label)) > 0;
      const Type &weight = after.value(node.inputs[1]).type;
      EXPECT_EQ(weight.dtype, is_float ? DType::float32 : asked.weight) << label;
    }
  }
}

TEST(Overrides, OutputsAndInputsOfSixteenBits) {
  const Images images(0);
  const Graph before = network();
  const Graph input = quantize(before, {"precision=x=int16"}, images);
  EXPECT_EQ(to_text(input), to_text(quantize(before, {"input-bits=16"}, images)));
  const Graph inner = quantize(before, {"precision=Relu=int16"}, images);
  EXPECT_EQ(read_through_dequantize(inner, layer(inner, "second").inputs[0]), DType::uint16);
  EXPECT_EQ(inner.value(layer(inner, "first").inputs[0]).type.dtype, DType::uint8);
}

TEST(Overrides, WhatNamesNothingOrNoTypeIsRefused) {
  const Images images(0);
  for (const auto &[word, why] :
       {std::pair{"precision=first=int9", "NAME=TYPE was expected"},
        {"precision=first", "NAME=TYPE was expected"},
        {"precision==int8", "NAME=TYPE was expected"},
        {"keep-float=nothing", "--keep-float nothing: no node, operator type or input is called so"},
        {"keep-float=(", "--keep-float: "}}) {
    Graph graph = network();
    const Job job = job_of(images, {"int8", word});
    const Status checked = find_scheme("quantize-int8")->check(job.settings);
    const auto report = run_scheme("quantize-int8", graph, job);
    ASSERT_TRUE(!checked || !report) << word;
    const std::string message = checked ? report.error().message : checked.error().message;
    EXPECT_NE(message.find(why), std::string::npos) << message;
  }
}

} // namespace
} // namespace edgec
