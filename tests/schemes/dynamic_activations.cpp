// Products of a float matrix with codes become products of codes, and nothing else does.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "schemes/stored/options.h"
#include "support/random.h"
#include "tests/schemes/run_scheme.h"

namespace edgec {
namespace {

class Rows : public SampleSet {
public:
  explicit Rows(Dims dims) : dims_(std::move(dims)) {}
  [[nodiscard]] std::size_t size() const override { return 16; }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    Random random(index);
    std::vector<float> values(static_cast<std::size_t>(*element_count(dims_)));
    for (float &value : values) value = static_cast<float>(random.normal() + 0.5);
    return Sample{Tensor::of(dims_, std::move(values))};
  }
  [[nodiscard]] std::string label(std::size_t index) const override { return std::to_string(index); }
  [[nodiscard]] std::string description() const override { return "rows"; }

private:
  Dims dims_;
};

Graph network(const std::string &text) {
  Graph graph = parse_graph(text).value();
  graph.opsets[""] = 13;
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

Graph compressed(const Graph &before, const Rows &rows, Words words = {}) {
  Graph graph = before;
  words.emplace_back("int8=dynamic");
  Job job = job_of(rows, words);
  job.settings.edit<StoredOptions>().own_samples = false;
  const auto schemes = wanted_schemes(job.settings);
  const auto report = run_schemes(graph, schemes, job, {.check_honesty = true});
  EXPECT_TRUE(report) << report.error().message;
  return graph;
}

std::size_t count(const Graph &graph, std::string_view op) {
  std::size_t found = 0;
  for (const NodeId id : graph.nodes()) found += graph.node(id).op == op ? 1 : 0;
  return found;
}

TEST(DynamicActivations, EveryFormOfAProductStaysClose) {
  const std::vector<std::pair<std::string, Dims>> forms{
      {"g (float[5,48] x, float[48,40] a, float[40] b) => (float[5,40] y) { y = Gemm(x, a, b) }", {5, 48}},
      {"g (float[5,48] x, float[40,48] a, float[40] b) => (float[5,40] y) { y = Gemm<transB = 1>(x, a, b) }", {5, 48}},
      {"g (float[5,48] x, float[48,40] a, float[5,40] b) => (float[5,40] y) "
       "{ y = Gemm<alpha = 0.5, beta = 2.0>(x, a, b) }",
       {5, 48}},
      {"g (float[5,48] x, float[48,40] a) => (float[5,40] y) { y = Gemm(x, a) }", {5, 48}},
      {"g (float[2,5,48] x, float[48,40] a) => (float[2,5,40] y) { y = MatMul(x, a) }", {2, 5, 48}},
      {"g (float[48] x, float[48,40] a) => (float[40] y) { y = MatMul(x, a) }", {48}}};
  for (const auto &[text, dims] : forms) {
    SCOPED_TRACE(text);
    const Rows rows(dims);
    const Graph before = network(text), after = compressed(before, rows);
    EXPECT_EQ(count(after, "MatMulInteger"), 1U);
    EXPECT_EQ(count(after, "DequantizeLinear"), 0U);
    EXPECT_GT(sqnr(before, after, rows, 8), 35);
  }
}

TEST(DynamicActivations, ReadersOfOneValueShareItsCodes) {
  const Rows rows({4, 48});
  const Graph before = network(R"(
    g (float[4,48] x, float[48,48] a, float[48,48] b, float[48,48] c) => (float[4,48] y) {
      q = MatMul(x, a)
      k = MatMul(x, b)
      s = Add(q, k)
      [last] y = MatMul(s, c)
    })");
  const Graph after = compressed(before, rows);
  EXPECT_EQ(count(after, "MatMulInteger"), 3U);
  EXPECT_EQ(count(after, "DynamicQuantizeLinear"), 2U);
  EXPECT_GT(sqnr(before, after, rows, 8), 30);
}

TEST(DynamicActivations, WhatIsNoSuchProductKeepsItsReals) {
  const std::vector<std::pair<std::string, Dims>> forms{
      {"g (float[48,5] x, float[48,40] a) => (float[5,40] y) { y = Gemm<transA = 1>(x, a) }", {48, 5}},
      {"g (float[1,8,9,9] x, float[16,8,3,3] a) => (float[1,16,7,7] y) { y = Conv(x, a) }", {1, 8, 9, 9}}};
  for (const auto &[text, dims] : forms) {
    SCOPED_TRACE(text);
    const Rows rows(dims);
    const Graph before = network(text), after = compressed(before, rows);
    EXPECT_EQ(count(after, "MatMulInteger"), 0U);
    EXPECT_EQ(count(after, "DequantizeLinear"), 1U);
    EXPECT_GT(sqnr(before, after, rows, 8), 35);
  }
}

TEST(DynamicActivations, GoWithNoOtherCodes) {
  for (const Words &words : {Words{"int8=dynamic", "weights=int4"}, Words{"int8", "weights=int8"}}) {
    const Settings settings = settings_of(words);
    bool refused = false;
    for (const SchemeDef *scheme : wanted_schemes(settings))
      refused |= scheme->check != nullptr && !scheme->check(settings);
    EXPECT_TRUE(refused) << fmt::format("{}", fmt::join(words, " "));
  }
}

} // namespace
} // namespace edgec
