// Training of codes: the reals that training sees are what the network of codes computes, before and after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "schemes/stored/options.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"
#include "train/fake_quantized.h"

namespace edgec {
namespace {

class Noise : public SampleSet {
public:
  std::size_t size() const override { return 160; }
  std::string label(std::size_t index) const override { return "sample " + std::to_string(index); }
  std::string description() const override { return "noise"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(100 + index);
    std::vector<float> values(3 * 64);
    for (float &x : values) x = static_cast<float>(random.normal());
    return Sample{Tensor::of<float>({1, 3, 8, 8}, std::move(values))};
  }
};

/// Convolutions with a Relu, a Clip, a sum, a pool, a Concat; a Gemm at the end. Weights are random.
Graph network() {
  Graph graph = parse_graph(R"(<opset_import: ["" : 25]>
    g (float[1,3,8,8] x) => (float[1,6] z)
    <float[1,1,1,1] w_16_3_3_3 = {1}, float[1] b_16 = {1}, float[1,1,1,1] v_16_16_3_3 = {1}, float[1] c_16 = {1},
     float[1,1,1,1] u_16_1_3_3 = {1}, float[1] d_16 = {1}, float[1,1] t_6_32 = {1}, float[1] e_6 = {1},
     float low = {0}, float high = {1}> {
      [first] a = Conv<pads = [1, 1, 1, 1]>(x, w_16_3_3_3, b_16)
      r = Relu(a)
      [second] c = Conv<pads = [1, 1, 1, 1]>(r, v_16_16_3_3, c_16)
      s = Add(c, r)
      t = Clip(s, low, high)
      p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(t)
      [third] d = Conv<pads = [1, 1, 1, 1], group = 16>(p, u_16_1_3_3, d_16)
      e = Sigmoid(d)
      f = Concat<axis = 1>(e, p)
      h = GlobalAveragePool(f)
      i = Flatten(h)
      [last] z = Gemm<transB = 1>(i, t_6_32, e_6)
    })")
                    .value();
  Random random(5);
  for (const ValueId id : graph.values()) {
    const std::string name = graph.value(id).name; // a constant's says its dims
    if (graph.constant(id) == nullptr || name.find('_') == std::string::npos) continue;
    Dims dims;
    for (std::size_t at = 1; at != std::string::npos; at = name.find('_', at + 1))
      dims.push_back(std::stoll(name.substr(at + 1)));
    std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
    const auto fan = static_cast<double>(*element_count(dims) / dims[0]);
    for (float &x : values) x = static_cast<float>(random.normal() / std::sqrt(fan));
    graph.set_data(id, Tensor::of(dims, values));
  }
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

/// A scheme that makes codes, its options, and what training is to bring back at least.
struct Case {
  const char *scheme;
  Words words;
  double gain_db;
};

const Case cases[] = {{"quantize-int8", {"int8"}, 0},
                      {"quantize-int8", {"int8", "weight-bits=4"}, 0},
                      {"quantize-int8", {"int8", "weight-bits=4", "activation-bits=4"}, -0.3},
                      {"quantize-int8", {"int8", "weight-bits=4", "activation-bits=3"}, -0.7},
                      {"quantize-int8", {"int8", "activation-bits=16"}, 0},
                      {"quantize-int8", {"int8", "target=tensorrt"}, 0},
                      {"quantize-weights", {"weights=int8"}, 0},
                      {"quantize-weights", {"weights=uint4"}, 0.6},
                      {"quantize-weights", {"weights=int3"}, 0.6},
                      {"quantize-weights", {"weights=int4", "block=16"}, 0.6},
                      {"quantize-weights", {"weights=ternary"}, 0.6},
                      {"share-weights", {"share=2", "effort=fast"}, 0.6}};

struct Coded {
  Graph original = network(), codes = original;
  Noise samples;

  explicit Coded(const Case &c) {
    Job job = job_of(samples, c.words, 100);
    job.settings.edit<StoredOptions>().own_samples = false;
    const auto report = run_scheme(c.scheme, codes, job);
    EXPECT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report && report->outcome.changed);
  }
};

TEST(FakeQuantized, ComputesWhatTheCodesDo) {
  for (const Case &c : cases) {
    SCOPED_TRACE(testing::PrintToString(c.words));
    const Coded coded(c);
    const auto reals = FakeQuantized::of(coded.codes, all_ops(), false);
    ASSERT_TRUE(reals) << reals.error().message;
    EXPECT_GT(sqnr(coded.codes, reals->graph(), coded.samples, 10),
              45); // sums of reals fall to other codes here or there
    for (const ValueId id : reals->graph().values())
      EXPECT_FALSE(reals->graph().value(id).type.is_quantized()) << reals->graph().value(id).name;
  }
}

TEST(FakeQuantized, WritesBackTheSameCodesWhereNothingWasTrained) {
  for (const Case &c : cases) {
    SCOPED_TRACE(testing::PrintToString(c.words));
    const Coded coded(c);
    const auto reals = FakeQuantized::of(coded.codes, all_ops(), false);
    ASSERT_TRUE(reals) << reals.error().message;
    Graph again = coded.codes;
    reals->write_back(again);
    for (const ValueId id : again.values()) {
      EXPECT_EQ(again.value(id).type, coded.codes.value(id).type);
      if (again.constant(id) == nullptr) continue;
      EXPECT_TRUE(identical(*again.constant(id), *coded.codes.constant(id))) << again.value(id).name;
    }
  }
}

/// Beyond, an error is a few codes that fall otherwise: of a dozen samples that judge, others show decibels more or
/// less.
constexpr double little_error_db = 48;

TEST(TuneCodes, BringsAnswersBackInWhatTheFileComputes) {
  for (const Case &c : cases) {
    SCOPED_TRACE(testing::PrintToString(c.words));
    Coded coded(c);
    Words words = c.words;
    words.insert(words.end(), {"tune=24", "tune-augment=none"});
    Graph tuned = coded.codes;
    Job job = job_of(coded.samples, words, 60);
    job.reference = &coded.original;
    const auto report = run_scheme("tune-codes", tuned, job);
    ASSERT_TRUE(report) << report.error().message;
    const double before = sqnr(coded.original, coded.codes, coded.samples, 30);
    const double slack = before > 40 ? 1.5 : 0.3; // a dozen samples judge; of little error there is little to learn
    EXPECT_GE(sqnr(coded.original, tuned, coded.samples, 30), std::min(before + c.gain_db - slack, little_error_db));
    for (const NodeId id : tuned.nodes()) EXPECT_NE(tuned.node(id).domain, "edgec");
  }
}

/// Two layers read the same codes, and constants that are equal are one: training changes what is one layer's alone.
TEST(TuneCodes, TrainsSharedCodesOnce) {
  Graph graph = parse_graph(R"(<opset_import: ["" : 21]>
    g (float[1,3,8,8] x) => (float[1,3,8,8] z)
    <int8[3,3,1,1] w = {90, -20, 30, 40, 50, -60, 7, 80, -9}, float[1] s = {0.01}, uint4[1] o = {0}, float[1] d = {0.2}> {
      v = DequantizeLinear(w, s)
      a = Conv(x, v)
      q = QuantizeLinear(a, d, o)
      r = DequantizeLinear(q, d, o)
      u = DequantizeLinear(w, s)
      z = Conv(r, u)
    })")
                    .value();
  ASSERT_TRUE(infer_types(graph, all_ops()));
  for (const NodeId id : graph.nodes()) { // types as the reader gives them
    if (!graph.node(id).is("DequantizeLinear")) continue;
    const ValueId codes = graph.node(id).inputs[0];
    Type type = graph.value(codes).type;
    type.quant = Quant::per_tensor(to_floats(*graph.constant(graph.node(id).inputs[1]))[0], 0);
    graph.set_type(codes, std::move(type));
  }
  auto reals = FakeQuantized::of(graph, all_ops(), false);
  ASSERT_TRUE(reals) << reals.error().message;
  EXPECT_THAT(reals->parameters(), testing::SizeIs(1)); // the weight; both scales are several operands'
  const ValueId weight = reals->parameters()[0].value;
  reals->graph().set_data(weight, Tensor::of({3, 3, 1, 1}, std::vector<float>(9, 0.5F)));
  reals->write_back(graph);
  for (const ValueId id : graph.values()) {
    const Tensor *codes = graph.constant(id);
    if (codes == nullptr || codes->dtype != DType::int8) continue;
    EXPECT_THAT(to_int64s(*codes), testing::Each(50));
  }
}

/// Codes that pruning made 0 stay so.
TEST(TuneCodes, KeepsPrunedWeights) {
  Coded coded({"quantize-weights", {"weights=int4"}, 0});
  Graph tuned = coded.codes;
  Job job = job_of(coded.samples, {"weights=int4", "prune=0.1", "effort=fast", "tune=20"}, 100);
  job.reference = &coded.original;
  ASSERT_TRUE(run_scheme("tune-codes", tuned, job));
  for (const ValueId id : tuned.values()) {
    if (!coded.codes.value(id).type.is_quantized() || coded.codes.constant(id) == nullptr) continue;
    const auto before = to_int64s(*coded.codes.constant(id)), after = to_int64s(*tuned.constant(id));
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(before[i] != 0 || after[i] == 0);
  }
}

} // namespace
} // namespace edgec
