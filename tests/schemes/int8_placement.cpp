// What int8 leaves float: a mask before a Softmax must not cost the scores their codes' range.
#include "schemes/int8/options.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

constexpr std::int64_t tokens = 6, width = 8;

Tensor random_tensor(Random &random, Dims dims, double size) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &value : values) value = static_cast<float>(size * random.normal());
  return Tensor::of(std::move(dims), std::move(values));
}

class Sequences : public SampleSet {
public:
  std::size_t size() const override { return 16; }
  std::string label(std::size_t index) const override { return fmt::format("sample {}", index); }
  std::string description() const override { return "sequences"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(100 + index);
    return Sample{random_tensor(random, {1, tokens, width}, 1)};
  }
};

/// Attention in which no token sees a later one.
Graph masked_attention(float mask, bool where) {
  Graph graph = parse_graph(fmt::format(R"(<opset_import: ["" : 17]>
    g (float[1,6,8] x) => (float[1,6,8] z)
    <float[1] wq = {{1}}, float[1] wk = {{1}}, float[1] wv = {{1}}, float[1] wz = {{1}}, float[1] mask = {{0}}, bool[1] sees = {{1}}> {{
      [q] q = MatMul(x, wq)
      [k] k = MatMul(x, wk)
      [v] v = MatMul(x, wv)
      t = Transpose<perm = [0, 2, 1]>(k)
      s = MatMul(q, t)
      [masked] m = {}
      p = Softmax<axis = -1>(m)
      a = MatMul(p, v)
      [z] z = MatMul(a, wz)
    }})",
                                        where ? "Where(sees, s, mask)" : "Add(s, mask)"))
                    .value();
  Random random(7);
  std::vector<float> masks;
  std::vector<std::uint8_t> sees;
  for (std::int64_t i = 0; i < tokens * tokens; ++i)
    sees.push_back(i % tokens <= i / tokens), masks.push_back(sees.back() ? 0 : mask);
  for (const NodeId id : graph.nodes()) {
    const std::string name = graph.node(id).name;
    if (name == "masked") {
      if (where) {
        Tensor seen = Tensor::of<std::uint8_t>({tokens, tokens}, sees);
        seen.dtype = DType::boolean;
        graph.set_input(id, 0, graph.add_constant(std::move(seen)));
        graph.set_input(id, 2, graph.add_constant(Tensor::scalar(mask)));
      } else {
        graph.set_input(id, 1, graph.add_constant(Tensor::of<float>({tokens, tokens}, masks)));
      }
    } else if (!name.empty()) {
      graph.set_input(id, 1, graph.add_constant(random_tensor(random, {width, width}, 0.4)));
    }
  }
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

double int8_sqnr_db(const Graph &graph, const Words &words, const SampleSet &samples = Sequences()) {
  Graph result = graph;
  const auto outcome = run_scheme("quantize-int8", result, job_of(samples, words));
  if (!outcome) {
    ADD_FAILURE() << outcome.error().message;
    return 0;
  }
  EXPECT_GE(coded_layers(result), 3U);
  Runner a(result, all_ops(), {}), b(graph, all_ops(), {});
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sample sample = samples.load(i).value();
    const auto found = to_doubles(a.run_tensors(sample).value()[0]),
               wanted = to_doubles(b.run_tensors(sample).value()[0]);
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      signal += wanted[k] * wanted[k];
      noise += (wanted[k] - found[k]) * (wanted[k] - found[k]);
    }
  }
  return 10 * std::log10(signal / noise);
}

TEST(Int8Placement, MasksOfAnySizeKeepTheAttention) {
  constexpr float lowest = std::numeric_limits<float>::lowest(), never = -std::numeric_limits<float>::infinity();
  for (const float mask : {-20.0F, -1e4F, -1e9F, lowest, never})
    for (const bool where : {false, true})
      for (const char *range : {"minmax", "percentile", "mse"})
        EXPECT_GE(int8_sqnr_db(masked_attention(mask, where), {"int8", fmt::format("range={}", range), "effort=fast"}),
                  29)
            << mask << (where ? " Where " : " Add ") << range;
}

/// Sequences of which one alone has a mask: the last two tokens are never seen.
class OneMasked : public Sequences {
public:
  OneMasked(std::size_t masked, float mask) : masked_(masked), mask_(mask) {}
  Result<Sample> load(std::size_t index) const override {
    EDGEC_ASSIGN(Sample sample, Sequences::load(index));
    std::vector<float> mask(tokens, 0);
    if (index == masked_) mask[tokens - 1] = mask[tokens - 2] = mask_;
    sample.push_back(Tensor::of<float>({1, 1, tokens}, std::move(mask)));
    return sample;
  }

private:
  std::size_t masked_;
  float mask_;
};

/// Attention whose mask comes from outside, as it is or as the logarithm of what is seen.
Graph attention_masked_from_outside(bool logarithm) {
  Graph graph = parse_graph(fmt::format(R"(<opset_import: ["" : 17]>
    g (float[1,6,8] x, float[1,1,6] given) => (float[1,6,8] z) <float[1] wq = {{1}}, float[1] wk = {{1}}, float[1] wv = {{1}}, float[1] wz = {{1}}> {{
      [q] q = MatMul(x, wq) [k] k = MatMul(x, wk) [v] v = MatMul(x, wv)
      t = Transpose<perm = [0, 2, 1]>(k)
      s = MatMul(q, t)
      {}
      p = Softmax<axis = -1>(m)
      a = MatMul(p, v)
      [z] z = MatMul(a, wz)
    }})",
                                        logarithm ? "e = Exp(given) g = Log(e) m = Add(s, g)" : "m = Add(s, given)"))
                    .value();
  Random random(7);
  for (const NodeId id : graph.nodes())
    if (!graph.node(id).name.empty())
      graph.set_input(id, 1, graph.add_constant(random_tensor(random, {width, width}, 0.4)));
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

// Few samples judge which values are coarse; infinities in one of the others are met when ranges are taken.
TEST(Int8Placement, AMaskInAnyOneSampleKeepsTheAttention) {
  for (const bool logarithm : {false, true})
    for (const char *range : {"minmax", "percentile"})
      for (std::size_t masked = 0; masked < 16; ++masked)
        EXPECT_GE(
            int8_sqnr_db(attention_masked_from_outside(logarithm),
                         {"int8", fmt::format("range={}", range), masked % 2 == 1 ? "effort=default" : "effort=fast"},
                         OneMasked(masked, -std::numeric_limits<float>::infinity())),
            25)
            << masked << (logarithm ? " Log " : " Add ") << range;
}

/// A classifier with scores of this spread, and shares behind them or not.
Graph classifier(double spread, bool shares) {
  Graph graph = parse_graph(fmt::format(R"(<opset_import: ["" : 17]>
    g (float[1,8,6,6] x) => (float[1,12] y) <float[1] w = {{0}}> {{
      [first] a = Conv<pads = [1, 1, 1, 1]>(x, w)
      b = Relu(a)
      [last] c = Conv(b, w)
      d = Relu(c)
      p = GlobalAveragePool(d)
      {} = Flatten(p)
      {}
    }})",
                                        shares ? "s" : "y", shares ? "y = Softmax(s)" : ""))
                    .value();
  Random random(4);
  for (const NodeId id : graph.nodes()) {
    if (graph.node(id).name == "first")
      graph.set_input(id, 1, graph.add_constant(random_tensor(random, {16, 8, 3, 3}, 0.15)));
    if (graph.node(id).name == "last")
      graph.set_input(id, 1, graph.add_constant(random_tensor(random, {12, 16, 1, 1}, spread)));
  }
  graph.remove_dead();
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

class Images : public SampleSet {
public:
  [[nodiscard]] std::size_t size() const override { return 24; }
  [[nodiscard]] std::string label(std::size_t index) const override { return fmt::format("image {}", index); }
  [[nodiscard]] std::string description() const override { return "images"; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(300 + index);
    Tensor image = random_tensor(random, {1, 8, 6, 6}, 1);
    std::vector<float> values(image.as<float>().begin(), image.as<float>().end());
    values[random.below(values.size())] *= 400; // ranges are wide, what is averaged is not
    return Sample{Tensor::of({1, 8, 6, 6}, std::move(values))};
  }
};

// Shares make much of small errors of scores: what is quantized follows the scores, from which answers are read.
TEST(Int8Placement, AFinalSoftmaxLeavesNoMoreFloat) {
  const Images images;
  for (const double spread : {0.5, 1.0, 2.0, 3.0}) {
    std::vector<std::string> reasons[2];
    for (const bool shares : {false, true}) {
      Graph graph = classifier(spread, shares);
      Job job = job_of(images, {"int8", "effort=fast"});
      job.note = [&](const PassNote &note) {
        if (note.text.find("8 bits of it") != std::string::npos) reasons[shares].push_back(note.node);
      };
      ASSERT_TRUE(run_scheme("quantize-int8", graph, job));
    }
    EXPECT_EQ(reasons[0], reasons[1]) << spread;
  }
}

/// A layer whose result a layer reads and, moved, the branches of an If.
Graph moved_to_body(const std::string &moving) {
  Graph graph = parse_graph(fmt::format(R"(<opset_import: ["" : 17]>
    g (float[1,8,6,6] x) => (float[?,?,?,?] y, float[1,8,6,6] z)
    <float[1] w = {{1}}, float[1] v = {{1}}, float zero = {{0}}, int64[4] all = {{0, 0, 0, 0}}, int64[4] most = {{1, 6, 6, 6}}> {{
      [w] a = Conv(x, w)
      r = Relu(a)
      {}
      [v] z = Conv(r, v)
      mean = ReduceMean<keepdims = 0>(z)
      c = Greater(mean, zero)
      y = If(c) <then_branch = t () => (float[?,?,?,?] p) {{ p = Abs(moved) }},
                 else_branch = e () => (float[?,?,?,?] q) {{ q = Neg(moved) }}>
    }})",
                                        moving))
                    .value();
  Random random(9);
  for (const NodeId id : graph.nodes())
    if (!graph.node(id).name.empty())
      graph.set_input(id, 1, graph.add_constant(random_tensor(random, {8, 8, 1, 1}, 0.4)));
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

// onnxruntime carries DequantizeLinear over what moves data, and aborts where that gets to a body.
TEST(Int8Placement, WhatMovesDataToABodyMovesCodesOrReals) {
  const Images images;
  std::size_t moved_codes = 0;
  for (const std::string moving : {"moved = Transpose<perm = [0, 2, 3, 1]>(r)", "moved = Slice(r, all, most)",
                                   "moved = MaxPool<kernel_shape = [2, 2]>(r)",
                                   "t = Transpose<perm = [0, 2, 3, 1]>(r)  moved = Slice(t, all, most)"})
    for (const Words &words : {Words{"int8"}, Words{"int8", "effort=fast"}, Words{"int8", "activation-bits=16"},
                               Words{"int8", "weight-bits=4"}, Words{"int8", "target=ort-avx2"}}) {
      Graph graph = moved_to_body(moving);
      ASSERT_TRUE(run_scheme("quantize-int8", graph, job_of(images, words)));
      const auto coded = [&](ValueId value) { return graph.value(value).type.quant.has_value(); };
      for (const NodeId id : graph.nodes()) {
        const Node &node = graph.node(id);
        if (!node.is("Transpose") && !node.is("Slice") && !node.is("MaxPool")) continue;
        EXPECT_EQ(coded(node.inputs[0]), coded(node.outputs[0])) << moving << ", " << words.back();
        moved_codes += coded(node.inputs[0]) ? 1 : 0;
      }
    }
  EXPECT_GT(moved_codes, 4U);
}

} // namespace
} // namespace edgec
