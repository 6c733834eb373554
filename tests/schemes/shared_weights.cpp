// A weight that several layers read (the heads of a detector on maps of several sizes, unrolled steps, blocks that
// share their weights) stays one.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ir/text.h"
#include "support/random.h"
#include "tests/schemes/random_text.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

struct Case {
  const char *text;
  Dims input;
  std::size_t readers; ///< of the weight `w`
};

/// Biases differ from reader to reader, and so do the sizes of what they read.
const Case cases[] = {
    {R"(g (float[1,4,12,12] x) => (float[1,6,12,12] a, float[1,6,6,6] b, float[1,6,3,3] c)
        <float[6,4,3,3] w = {random}, float[6] p = {random}, float[6] q = {random}, float[6] r = {random}> {
          a = Conv<pads = [1, 1, 1, 1]>(x, w, p)
          h = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(x)  b = Conv<pads = [1, 1, 1, 1]>(h, w, q)
          k = AveragePool<kernel_shape = [2, 2], strides = [2, 2]>(h)  c = Conv<pads = [1, 1, 1, 1]>(k, w, r) })",
     {1, 4, 12, 12},
     3},
    {R"(g (float[1,16] x) => (float[1,16] d)
        <float[16,16] w = {random}, float[16] p = {random}> {
          s = Gemm<transB = 1>(x, w, p)  a = Tanh(s)  t = Gemm<transB = 1>(a, w, p)  b = Relu(t)
          d = Gemm<transB = 1>(b, w, p) })",
     {1, 16},
     3},
    {R"(g (float[1,5,16] x) => (float[1,5,16] c)
        <float[16,16] w = {random}> {
          s = MatMul(x, w)  a = Relu(s)  t = MatMul(a, w)  b = Add(t, x)  c = MatMul(b, w) })",
     {1, 5, 16},
     3},
    {R"(g (float[1,8,6,6] x) => (float[1,8,6,6] c)
        <float[8,2,3,3] w = {random}, float[8] p = {random}> {
          s = Conv<pads = [1, 1, 1, 1], group = 4>(x, w, p)  a = Relu(s)
          c = Conv<pads = [1, 1, 1, 1], group = 4>(a, w, p) })",
     {1, 8, 6, 6},
     2},
};

Tensor normal(Random &random, const Dims &dims, double scale) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &x : values) x = static_cast<float>(scale * random.normal());
  return Tensor::of(dims, std::move(values));
}

Graph network(const Case &one) {
  auto graph = parse_graph("<opset_import: [\"\" : 21]> " + with_random_numbers(one.text, 0.3));
  EXPECT_TRUE(graph) << graph.error().message;
  EXPECT_TRUE(infer_types(*graph, all_ops()));
  return *graph;
}

class Noise : public SampleSet {
public:
  explicit Noise(Dims dims) : dims_(std::move(dims)) {}
  [[nodiscard]] std::size_t size() const override { return 120; }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "noise"; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(100 + index);
    return Sample{normal(random, dims_, 1)};
  }

private:
  Dims dims_;
};

/// The constant behind an operand: itself, or what DequantizeLinear makes it of.
ValueId stored(const Graph &graph, ValueId operand) {
  while (const Node *producer = graph.producer(operand)) operand = producer->inputs[0];
  return operand;
}

TEST(SharedWeights, StayOneUnderEveryScheme) {
  const struct {
    const char *scheme;
    Words words;
    double least_db;
  } schemes[] = {{"quantize-int8", {"int8"}, 27},
                 {"quantize-int8", {"int8", "effort=fast"}, 25},
                 {"quantize-weights-second-order", {"weights=int8"}, 35},
                 {"quantize-weights", {"weights=int8", "effort=fast"}, 35},
                 {"prune-second-order", {"prune=0.3"}, 6}};
  for (const Case &one : cases) {
    const Graph graph = network(one);
    const Noise samples(one.input);
    for (const auto &scheme : schemes) {
      SCOPED_TRACE(std::string(scheme.scheme) + " " + one.text);
      Graph after = graph;
      Job job = job_of(samples, scheme.words, 100);
      job.original = &graph;
      for (const NodeId id : graph.nodes()) job.scope.named.push_back(graph.node(id).label()); // first layers, too
      const auto report = run_scheme(scheme.scheme, after, job);
      ASSERT_TRUE(report) << report.error().message;
      EXPECT_TRUE(report->outcome.changed);
      std::set<std::vector<std::byte>> weights;
      std::size_t readers = 0;
      for (const NodeId id : after.nodes()) {
        const OpDef *op = all_ops().find(after.node(id));
        if (op->weights == nullptr) continue;
        const auto &bytes = after.constant(stored(after, after.node(id).inputs[1]))->data;
        weights.emplace(bytes.data(), bytes.data() + bytes.size());
        ++readers;
      }
      EXPECT_EQ(readers, one.readers);
      EXPECT_EQ(weights.size(), 1U);
      EXPECT_GT(sqnr(graph, after, samples, 20), scheme.least_db);
    }
  }
}

} // namespace
} // namespace edgec
