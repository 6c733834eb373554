#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx/onnx.h"
#include "ir/text.h"
#include "ops/registry.h"
#include "runtime/parts.h"
#include "schemes/stored/constants.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

using ::testing::HasSubstr;

/// Constants called "w_8_16" become random numbers of those dims, in sub-graphs, too.
void fill(Graph &graph, Random &random) {
  for (const ValueId id : graph.values()) {
    const std::string name = graph.value(id).name;
    if (!graph.constant(id) || !name.starts_with("w_")) continue;
    Dims dims;
    for (std::size_t at = 1; at != std::string::npos; at = name.find('_', at + 1))
      dims.push_back(std::stoll(name.substr(at + 1)));
    std::vector<float> numbers(static_cast<std::size_t>(*element_count(dims)));
    for (float &x : numbers) x = static_cast<float>(random.normal() * 0.2);
    graph.set_data(id, Tensor::of(dims, numbers));
  }
  for (const NodeId id : graph.nodes()) {
    const std::vector<Attribute> attributes = graph.node(id).attributes;
    const std::vector<ValueId> captures = graph.node(id).captures;
    std::size_t first = 0;
    for (const Attribute &attribute : attributes) {
      const auto *inner = std::get_if<SubGraph>(&attribute.value);
      if (!inner) continue;
      Graph body = **inner;
      for (const ValueId capture : body.captures()) body.set_type(capture, graph.value(captures[first++]).type);
      fill(body, random);
      graph.set_subgraph(id, attribute.name, std::make_shared<const Graph>(std::move(body)), captures);
    }
  }
}

Graph network(const std::string &text, int opset = 17) {
  auto parsed = parse_graph(fmt::format("<opset_import: [\"\" : {}]> {}", opset, text));
  EXPECT_TRUE(parsed) << parsed.error().message;
  Graph graph = std::move(*parsed);
  Random random(7);
  fill(graph, random);
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

struct Stored {
  Graph graph;
  std::vector<PassNote> notes;
  bool changed = false;
};

Stored store(const Graph &graph, const Words &words) {
  Stored stored{graph, {}, false};
  Job job{{.ops = all_ops(), .note = [&](const PassNote &note) { stored.notes.push_back(note); }}};
  job.settings = settings_of(words);
  job.settings.edit<StoredOptions>().own_samples = false;
  const auto report = run_scheme("quantize-weights", stored.graph, job);
  EXPECT_TRUE(report) << report.error().message;
  stored.changed = report && report->outcome.changed;
  return stored;
}

/// Random numbers, or indices below 20.
std::vector<Tensor> feeds_of(const Graph &graph) {
  Random random(11);
  std::vector<Tensor> feeds;
  for (const ValueId id : graph.inputs()) {
    const Type &type = graph.value(id).type;
    std::vector<double> numbers(static_cast<std::size_t>(*element_count(*type.concrete())));
    for (double &x : numbers) x = type.dtype == DType::float32 ? random.normal() : std::floor(20 * random.uniform());
    feeds.push_back(from_doubles(type.dtype, *type.concrete(), numbers));
  }
  return feeds;
}

std::vector<float> answer(const Graph &graph, const std::vector<Tensor> &feeds) {
  auto outputs = Runner(graph, all_ops(), {}).run_tensors(feeds);
  EXPECT_TRUE(outputs) << outputs.error().message;
  return outputs ? to_floats(outputs->front()) : std::vector<float>{};
}

double decibels(const Graph &reference, const Graph &test) {
  const auto feeds = feeds_of(reference);
  const auto x = answer(reference, feeds), y = answer(test, feeds);
  if (x.size() != y.size()) return -1000;
  double signal = 0, noise = 1e-30;
  for (std::size_t i = 0; i < x.size(); ++i) signal += std::pow(x[i], 2), noise += std::pow(x[i] - y[i], 2);
  return 10 * std::log10(signal / noise);
}

const char *const networks[] = {
    "g (float[1,8,9,9] x) => (float[1,24,7,7] y) <float[1] w_24_8_3_3 = {0}> { y = Conv(x, w_24_8_3_3) }",
    "g (float[1,8,9,9] x) => (float[1,8,9,9] y) <float[1] w_8_4_16_16 = {0}> { y = Conv<group = 2, auto_pad = "
    "\"SAME_UPPER\">(x, w_8_4_16_16) }",
    "g (float[1,8,5,5] x) => (float[1,12,8,8] y) <float[1] w_8_12_4_4 = {0}> { y = ConvTranspose(x, w_8_12_4_4) }",
    "g (float[1,8,5,5] x) => (float[1,32,8,8] y) <float[1] w_8_16_4_4 = {0}> { y = ConvTranspose<group = 2>(x, "
    "w_8_16_4_4) }",
    "g (float[3,40] x) => (float[3,64] y) <float[1] w_64_40 = {0}> { y = Gemm<transB = 1, alpha = 0.5>(x, w_64_40) }",
    "g (float[3,40] x) => (float[3,64] y) <float[1] w_40_64 = {0}> { y = Gemm(x, w_40_64) }",
    "g (float[2,3,40] x) => (float[2,3,64] y) <float[1] w_40_64 = {0}> { y = MatMul(x, w_40_64) }",
    "g (float[2,3,40] x) => (float[2,3,64] y) <float[1] w_2_40_64 = {0}> { y = MatMul(x, w_2_40_64) }",
    "g (float[5,1,20] x) => (float[5,1,1,24] y) <float[1] w_1_96_20 = {0}, float[1] w_1_96_24 = {0}> { y = "
    "LSTM<hidden_size = 24>(x, w_1_96_20, w_1_96_24) }",
    "g (float[5,1,20] x) => (float[5,2,1,24] y) <float[1] w_2_96_20 = {0}, float[1] w_2_96_24 = {0}> { y = "
    "LSTM<hidden_size = 24, direction = \"bidirectional\">(x, w_2_96_20, w_2_96_24) }",
    "g (float[5,1,20] x) => (float[5,2,1,24] y) <float[1] w_2_72_20 = {0}, float[1] w_2_72_24 = {0}> { y = "
    "GRU<hidden_size = 24, direction = \"bidirectional\">(x, w_2_72_20, w_2_72_24) }",
    "g (float[5,1,40] x) => (float[5,1,1,32] y) <float[1] w_1_32_40 = {0}, float[1] w_1_32_32 = {0}> { y = "
    "RNN<hidden_size = 32>(x, w_1_32_40, w_1_32_32) }",
    "g (int64[2,3] x) => (float[2,3,64] y) <float[1] w_40_64 = {0}> { y = Gather(w_40_64, x) }",
    "g (int64[2,3] x) => (float[2,3,6,20] y) <float[1] w_40_6_20 = {0}> { y = Gather(w_40_6_20, x) }",
    "g (int64[2,3] x, int64[1] n) => (float[2,3,64] y) <float[1] w_40_64 = {0}, int64[1] zero = {0}, int64[1] three = "
    "{3}> { a = Gather(w_40_64, x) b = Slice(w_40_64, zero, three) y = Add(a, b) }",
    "g (float[3,32] x, bool c) => (float[3,32] y) <float[1] w_32_32 = {0}> { y = If(c) <then_branch = t () => "
    "(float[3,32] z) <float[1] w_32_64 = {0}, float[1] w_64_32 = {0}> { a = MatMul(x, w_32_64) z = MatMul(a, "
    "w_64_32) }, else_branch = e () => (float[3,32] v) { v = MatMul(x, w_32_32) }> }"};

TEST(QuantizeWeights, EveryKindOfWeightBecomesCodesThatComputeTheSame) {
  struct Kind {
    const char *words;
    int opset;
    double least_db, most_bytes; // of the floats'
  };
  const Kind kinds[] = {
      {"int8", 17, 40, 0.36}, {"uint8", 17, 39, 0.38}, {"int4", 21, 15, 0.31}, {"uint4", 21, 16, 0.31}};
  for (const char *text : networks)
    for (const Kind &kind : kinds)
      for (const int block : {0, 8, 16}) {
        if (block > 0 && kind.opset < 21) continue;
        SCOPED_TRACE(fmt::format("{} --weights {} --block {}", text, kind.words, block));
        const Graph before = network(text, kind.opset);
        Words words{fmt::format("weights={}", kind.words)};
        if (block > 0) words.push_back(fmt::format("block={}", block));
        const Stored stored = store(before, words);
        EXPECT_TRUE(stored.changed);
        EXPECT_GT(decibels(before, stored.graph), kind.least_db);
        const double all = static_cast<double>(constant_bytes(before));
        EXPECT_LT(static_cast<double>(constant_bytes(stored.graph)), all * (kind.most_bytes + (block > 0 ? .3 : 0)));
        EXPECT_TRUE(serialize_onnx({.graph = stored.graph}, {.ops = &all_ops()}));
      }
}

TEST(QuantizeWeights, AWeightWithSeveralReadersIsStoredOnce) {
  const Graph before = network("g (float[3,32] x, bool c) => (float[3,32] y) <float[1] w_32_32 = {0}> { a = MatMul(x, "
                               "w_32_32) b = MatMul(a, w_32_32) y = If(c) <then_branch = t () => (float[3,32] z) { z = "
                               "MatMul(b, w_32_32) }, else_branch = e () => (float[3,32] v) { v = Sub(a, w_32_32) }> }",
                               17);
  EXPECT_EQ(store(network("g (float[32,32] x) => (float[32,32] y) <float[1] w_32_32 = {0}> { y = Add(x, w_32_32) }"),
                  {"weights=int8"})
                .changed,
            false)
      << "no layer reads it";
  EXPECT_LT(constant_bytes(store(before, {"weights=int8"}).graph), constant_bytes(before) / 4 + 200);
}

TEST(QuantizeWeights, NothingIsChangedWhereCodesWouldSaveNothingAndItIsSaid) {
  const Graph before = network("g (float[1,4] x) => (float[1,6] y) <float[1] w_4_6 = {0}> { y = MatMul(x, w_4_6) }");
  const Stored stored = store(before, {"weights=int8"});
  EXPECT_FALSE(stored.changed);
  EXPECT_EQ(to_text(stored.graph), to_text(before));
  const Graph biased =
      network("g (float[1,300] x) => (float[1,300] y) <float[1] w_300_300 = {0}, float[1] w_300 = {0}> "
              "{ y = Gemm(x, w_300_300, w_300) }");
  const Stored left = store(biased, {"weights=int8"});
  ASSERT_EQ(left.notes.size(), 1U);
  EXPECT_THAT(left.notes[0].text, HasSubstr("w_300: 1200 bytes stay float"));
}

TEST(QuantizeWeights, ConstantNodesAreWeightsToo) {
  Graph graph = network("g (float[2,32] x) => (float[2,32] y) { y = Neg(x) }");
  const Graph other =
      network("g (float[2,32] x) => (float[2,32] y) <float[1] w_32_32 = {0}> { y = MatMul(x, w_32_32) }");
  Node constant;
  constant.op = "Constant";
  for (const ValueId id : other.values())
    if (const Tensor *data = other.constant(id)) constant.attributes = {{"value", *data}};
  const NodeId neg = graph.nodes()[0];
  const ValueId weight = graph.add_op(std::move(constant), Type::tensor(DType::float32, Dims{32, 32}), neg);
  graph.set_op(neg, "MatMul");
  graph.set_input(neg, 1, weight);
  const Stored stored = store(graph, {"weights=int8"});
  EXPECT_TRUE(stored.changed);
  EXPECT_GT(decibels(graph, stored.graph), 40);
  EXPECT_LT(constant_bytes(stored.graph), 1024U + 200);
}

TEST(QuantizeWeights, TablesHaveFourBitsOnlyWhereEightWouldBeMostOfTheFile) {
  const char *const text =
      "g (int64[2,3] x) => (float[2,3,{0}] y) <float[1] w_{1}_64 = {{0}}, float[1] w_64_{0} = {{0}}> {{ "
      "a = Gather(w_{1}_64, x) y = MatMul(a, w_64_{0}) }}";
  const auto has_bytes = [](const Graph &graph, DType dtype, Dims dims) {
    return std::ranges::any_of(graph.values(), [&](ValueId id) {
      const Tensor *data = graph.constant(id);
      return data && data->dtype == dtype && data->dims == dims;
    });
  };
  const Graph large = network(fmt::format(fmt::runtime(text), 64, 500), 21);
  EXPECT_TRUE(has_bytes(store(large, {"weights=int4"}).graph, DType::uint8, {500, 32}));
  EXPECT_TRUE(has_bytes(store(large, {"weights=int4", "tables=int8"}).graph, DType::int8, {500, 64}));
  EXPECT_TRUE(has_bytes(store(large, {"weights=int8"}).graph, DType::int8, {500, 64}));
  const Graph small = network(fmt::format(fmt::runtime(text), 400, 40), 21);
  EXPECT_TRUE(has_bytes(store(small, {"weights=int4"}).graph, DType::int8, {40, 64}));
}

TEST(QuantizeWeights, PrunedWeightsStayZero) {
  Graph graph = network("g (float[2,64] x) => (float[2,64] y) <float[1] w_64_64 = {0}> { y = MatMul(x, w_64_64) }", 21);
  const ValueId weight = graph.node(graph.nodes()[0]).inputs[1];
  std::vector<float> numbers = to_floats(*graph.constant(weight));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (i % 2 == 0) numbers[i] = 0;
  graph.set_data(weight, Tensor::of({64, 64}, numbers));
  for (const char *type : {"int8", "uint8", "int4", "uint4"}) {
    const Graph stored = store(graph, {fmt::format("weights={}", type)}).graph;
    const Node &layer = stored.node(stored.nodes().back());
    const auto feeds = std::vector<Tensor>{Tensor::of({64, 64}, std::vector<float>(64 * 64))};
    auto weights = Runner(stored, all_ops(), {.fetches = {layer.inputs[1]}}).run_tensors(feeds_of(stored));
    ASSERT_TRUE(weights) << weights.error().message;
    const auto reals = to_floats(weights->front());
    for (std::size_t i = 0; i < reals.size(); i += 2) ASSERT_EQ(reals[i], 0) << type;
  }
}

/// Samples of two correlated halves, so that rounding to nearest is not the best.
class Correlated : public SampleSet {
public:
  explicit Correlated(Dims dims) : dims_(std::move(dims)) {}
  std::size_t size() const override { return 140; }
  std::string label(std::size_t index) const override { return fmt::format("sample {}", index); }
  std::string description() const override { return "correlated numbers"; }
  Result<Sample> load(std::size_t index) const override {
    Random random(100 + index);
    const auto count = static_cast<std::size_t>(*element_count(dims_));
    std::vector<float> x(count);
    const double common = random.normal();
    for (std::size_t i = 0; i < count; ++i)
      x[i] = static_cast<float>((i % 5 == 0 ? 3 : 1) * (common + 0.3 * random.normal()));
    return Sample{Tensor::of(dims_, x)};
  }

private:
  Dims dims_;
};

TEST(QuantizeWeightsSecondOrder, LosesLessThanRoundingToNearest) {
  const char *const bodies[] = {
      "g (float[2,48] x) => (float[2,32] y) <float[1] w_48_64 = {0}, float[1] w_64_32 = {0}> { a = MatMul(x, w_48_64) "
      "b "
      "= Relu(a) y = MatMul(b, w_64_32) }",
      "g (float[1,4,8,8] x) => (float[1,12,6,6] y) <float[1] w_32_4_3_3 = {0}, float[1] w_12_32_1_1 = {0}> { a = "
      "Conv(x, w_32_4_3_3) b = Relu(a) y = Conv(b, w_12_32_1_1) }",
      "g (float[2,48] x) => (float[2,32] y) <float[1] w_64_48 = {0}, float[1] w_64 = {0}, float[1] w_64_32 = {0}> { a "
      "= "
      "Gemm<transB = 1>(x, w_64_48, w_64) b = Relu(a) y = Gemm(b, w_64_32) }"};
  for (const char *body : bodies)
    for (const char *type : {"int4", "uint4", "int8"})
      for (const char *block : {"", "block=16"}) {
        SCOPED_TRACE(fmt::format("{} {} {}", body, type, block));
        const Graph before = network(body, 21);
        const Correlated samples(*before.value(before.inputs()[0]).type.concrete());
        Words words{fmt::format("weights={}", type)};
        if (*block != 0) words.emplace_back(block);
        const Outcome fitted = run_pass("quantize-weights-second-order", before, samples, words, 2);
        const Graph nearest = store(before, words).graph;
        EXPECT_EQ(coded_layers(fitted.graph), coded_layers(nearest));
        EXPECT_GT(sqnr(before, fitted.graph, samples, 30), sqnr(before, nearest, samples, 30) + 1);
        EXPECT_EQ(to_text(fitted.graph),
                  to_text(run_pass("quantize-weights-second-order", before, samples, words).graph))
            << "on one thread";
      }
}

TEST(QuantizeWeightsSecondOrder, ASharedWeightIsStoredOnceAndWhatIsNoLayerToo) {
  const Graph before = network("g (float[2,1,32] x) => (float[2,1,32] y) <float[1] w_32_32 = {0}, float[1] w_1_96_32 = "
                               "{0}> { a = MatMul(x, w_32_32) b = MatMul(a, w_32_32) c, y1 = GRU<hidden_size = 32>(b, "
                               "w_1_96_32, w_1_96_32) y = Add(b, b) z = Identity(c) }");
  const Outcome stored = run_pass("quantize-weights-second-order", before, Correlated({2, 1, 32}), {"weights=int8"});
  EXPECT_LT(constant_bytes(stored.graph), constant_bytes(before) / 4 + 600);
  EXPECT_GT(decibels(before, stored.graph), 35);
}

TEST(QuantizeWeightsSecondOrder, PrunedWeightsStayZero) {
  Graph graph = network("g (float[2,64] x) => (float[2,64] y) <float[1] w_64_64 = {0}> { y = MatMul(x, w_64_64) }", 21);
  const ValueId weight = graph.node(graph.nodes()[0]).inputs[1];
  std::vector<float> numbers = to_floats(*graph.constant(weight));
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (i % 2 == 0) numbers[i] = 0;
  graph.set_data(weight, Tensor::of({64, 64}, numbers));
  for (const char *type : {"int4", "uint4"}) {
    const Graph stored = run_pass("quantize-weights-second-order", graph, Correlated({2, 64}),
                                  {fmt::format("weights={}", type), "block=16"})
                             .graph;
    const Node &layer = stored.node(stored.nodes().back());
    auto weights = Runner(stored, all_ops(), {.fetches = {layer.inputs[1]}}).run_tensors(feeds_of(stored));
    ASSERT_TRUE(weights) << weights.error().message;
    const auto reals = to_floats(weights->front());
    for (std::size_t i = 0; i < reals.size(); i += 2) ASSERT_EQ(reals[i], 0) << type;
  }
}

} // namespace
} // namespace edgec
