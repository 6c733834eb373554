// A network of codes compressed further: as the floats that they stand for, with its values' own codes afterwards.
#include "schemes/int8/uncoded.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ir/text.h"
#include "schemes/fitting/held_out.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

class Noise : public SampleSet {
public:
  std::size_t size() const override { return 24; }
  std::string label(std::size_t index) const override { return "sample " + std::to_string(index); }
  std::string description() const override { return "noise"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(index);
    std::vector<float> values(3 * 64);
    for (float &x : values) x = static_cast<float>(random.normal());
    return Sample{Tensor::of<float>({1, 3, 8, 8}, std::move(values))};
  }
};

Tensor drawn(Dims dims, std::uint64_t seed) {
  std::int64_t size = 1;
  for (const std::int64_t dim : dims) size *= dim;
  std::vector<float> values(static_cast<std::size_t>(size));
  Random random(seed);
  for (float &x : values) x = static_cast<float>(0.3 * random.normal());
  return Tensor::of(dims, std::move(values));
}

/// A Relu that becomes saturation, a sum without one, a pool that moves codes, and answers that stay float.
Graph residual() {
  Graph graph = parse_graph(R"(<opset_import: ["" : 13]>
    g (float[1,3,8,8] x) => (float[1,5] z)
    <float[1,1,1,1] u = {1}, float[1,1,1,1] v = {1}, float[1,1] w = {1}> {
      [stem] a = Conv<pads = [1, 1, 1, 1]>(x, u)
      r = Relu(a)
      [block] b = Conv<pads = [1, 1, 1, 1]>(r, v)
      s = Add(r, b)
      p = MaxPool<kernel_shape = [4, 4], strides = [4, 4]>(s)
      f = Flatten(p)
      [head] z = MatMul(f, w)
    })")
                    .value();
  const auto set = [&](const char *name, Tensor data) {
    for (const NodeId id : graph.nodes())
      if (graph.node(id).name == name) graph.set_input(id, 1, graph.add_constant(std::move(data)));
  };
  set("stem", drawn({4, 3, 3, 3}, 1));
  set("block", drawn({4, 4, 3, 3}, 2));
  set("head", drawn({16, 5}, 3));
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

Graph quantized(const Graph &graph, const Words &words = {"int8"}) {
  return run_pass("quantize-int8", graph, Noise(), words).graph;
}

double sqnr_db(const Graph &reference, const Graph &test) {
  return judge(reference, test, job_of(Noise())).value().sqnr_db();
}

/// Scale and zero point of values, by the names or operators of what gives them.
std::map<std::string, std::pair<float, int>> codes_of_values(const Graph &graph) {
  std::map<std::string, std::pair<float, int>> found;
  for (const ValueId id : graph.values()) {
    const Value &value = graph.value(id);
    if (!value.type.quant || graph.constant(id) != nullptr) continue;
    const Node &giver = *graph.producer(id);
    found[giver.name.empty() ? giver.op : giver.name] = {value.type.quant->scale(), value.type.quant->zero_point()};
  }
  return found;
}

TEST(Uncoded, AnswersAsTheCodesDo) {
  const Graph codes = quantized(residual());
  Graph reals = codes;
  const auto kept = uncode(reals, all_ops());
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(kept->weights.size(), 3U);
  for (const ValueId id : reals.values()) EXPECT_FALSE(reals.value(id).type.is_quantized());
  // Values are no longer rounded, but those that saturated do so still.
  EXPECT_GT(sqnr_db(codes, reals), 30);
  EXPECT_LT(sqnr_db(codes, reals), 80);
  Graph unclipped = codes;
  ASSERT_TRUE(uncode(unclipped, all_ops(), Saturation::freed));
  EXPECT_GT(sqnr_db(codes, unclipped), 30); // of the Relu's saturation nothing is lost, either
}

TEST(Uncoded, ValuesGetTheirCodesBack) {
  const Graph codes = quantized(residual());
  Graph again = codes;
  const auto kept = uncode(again, all_ops());
  ASSERT_TRUE(kept);
  Noise samples;
  Job job = job_of(samples, {"int8", "weight-bits=4"});
  job.kept = &*kept;
  const auto report = run_scheme("quantize-int8", again, job);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(codes_of_values(codes).size(), 6U);
  EXPECT_EQ(codes_of_values(again), codes_of_values(codes));
  EXPECT_EQ(coded_layers(again), 3U);
  EXPECT_EQ(again.nodes().size(), codes.nodes().size()); // the Clip of saturation has become saturation again
  EXPECT_EQ(code_kinds(again, all_ops()).weight.bits, 4);
  EXPECT_GT(sqnr_db(codes, again), 12);
}

/// As onnxruntime's tools leave it: a Relu went into the QuantizeLinear behind a float operator.
TEST(Uncoded, SaturationBehindAFloatOperatorIsARelu) {
  Graph codes = parse_graph(R"(<opset_import: ["" : 13]>
    g (float[1,3,8,8] x) => (float[1,3,8,8] z) <float s = {0.02}, uint8 zero = {0}> {
      a = Neg(x)
      q = QuantizeLinear(a, s, zero)
      r = DequantizeLinear(q, s, zero)
      z = Add(r, x)
    })")
                    .value();
  for (const ValueId id : codes.values())
    if (codes.value(id).name == "q") {
      Type type = codes.value(id).type;
      type.dtype = DType::uint8;
      type.quant = Quant::per_tensor(0.02F, 0);
      codes.set_type(id, type);
    }
  ASSERT_TRUE(infer_types(codes, all_ops()));
  for (const Saturation saturation : {Saturation::kept, Saturation::freed}) {
    Graph reals = codes;
    ASSERT_TRUE(uncode(reals, all_ops(), saturation));
    EXPECT_GT(sqnr_db(codes, reals), 35); // without the Relu about 0
  }
}

TEST(Uncoded, WeightsAloneBecomeReals) {
  const Graph codes = run_pass("quantize-weights", residual(), Noise(), {"weights=int4", "effort=fast"}).graph;
  const CodeKinds kinds = code_kinds(codes, all_ops());
  EXPECT_EQ(kinds.values, 0U);
  EXPECT_EQ(kinds.weights, 3U);
  EXPECT_EQ(kinds.weight.bits, 4);
  Graph reals = codes;
  ASSERT_TRUE(uncode(reals, all_ops()));
  EXPECT_EQ(coded_layers(reals), 0U);
  EXPECT_GT(sqnr_db(codes, reals), 100);
}

TEST(Uncoded, CodesAtTheEndsOfTheNetworkAreRefused) {
  Graph graph = parse_graph(R"(<opset_import: ["" : 13]>
    g (float[1,4] x) => (float[1,4] y) { y = Relu(x) })")
                    .value();
  Type codes = graph.value(graph.inputs()[0]).type;
  codes.dtype = DType::uint8;
  codes.quant = Quant::per_tensor(0.5F, 3);
  graph.set_type(graph.inputs()[0], codes);
  const auto kept = uncode(graph, all_ops());
  ASSERT_FALSE(kept);
  EXPECT_EQ(kept.error().code, Code::unsupported);
  EXPECT_EQ(kept.error().message, "input x is codes: a network is compressed further where its inputs and outputs are "
                                  "plain numbers");
}

} // namespace
} // namespace edgec
