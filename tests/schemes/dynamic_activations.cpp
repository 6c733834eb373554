// Products of a float matrix with codes become products of codes, and nothing else does.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ir/text.h"
#include "schemes/dynamic/undo.h"
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

Graph compressed(const Graph &before, const Rows &rows, Words words = {}, const char *mode = "int8=dynamic") {
  Graph graph = before;
  words.emplace_back(mode);
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

TEST(DynamicActivations, LstmsOfBothDirectionsMultiplyCodesInOnnxruntime) {
  const Rows rows({7, 2, 20});
  const Graph before = network(R"(
    g (float[7,2,20] x, float[2,96,20] w, float[2,96,24] r, float[2,192] b, float[2,2,24] h) => (float[7,2,2,24] y) {
      y = LSTM<hidden_size = 24, direction = "bidirectional">(x, w, r, b, , h)
    })");
  const Graph after = compressed(before, rows, {"target=ort"});
  EXPECT_EQ(count(after, "DynamicQuantizeLSTM"), 1U);
  EXPECT_EQ(count(after, "DequantizeLinear"), 0U);
  EXPECT_EQ(after.opset("com.microsoft"), 1);
  EXPECT_GT(sqnr(before, after, rows, 8), 35);
  EXPECT_EQ(count(compressed(before, rows), "LSTM"), 1U); // other runtimes do not have that operator
}

TEST(DynamicActivations, AStepOfAnLstmRoundsWhatItReadsAndItsState) {
  const Rows rows({1, 1, 20});
  const std::string operands = "float[1,1,20] x, float[1,96,20] w, float[1,96,24] r, float[1,1,24] h";
  const Graph plain =
      network("g (" + operands + ") => (float[1,1,1,24] y) { y = LSTM<hidden_size = 24>(x, w, r, , , h) }");
  const Graph rounded = network("g (" + operands + R"() => (float[1,1,1,24] y) {
      xq, xs, xz = DynamicQuantizeLinear(x)   xr = DequantizeLinear(xq, xs, xz)
      hq, hs, hz = DynamicQuantizeLinear(h)   hr = DequantizeLinear(hq, hs, hz)
      y = LSTM<hidden_size = 24>(xr, w, r, , , hr)
    })");
  EXPECT_GT(sqnr(compressed(rounded, rows, {}, "int8=weights"), compressed(plain, rows, {"target=ort"}), rows, 8), 90);
}

/// A branch that holds an LSTM of x with weights of its own.
SubGraph branch(const Type &x, std::uint64_t seed) {
  Graph body;
  body.opsets[""] = 13;
  Random random(seed);
  std::vector<ValueId> operands{body.add_capture("x", x)};
  for (const Dims &dims : {Dims{1, 96, 20}, Dims{1, 96, 24}}) {
    std::vector<double> values(static_cast<std::size_t>(*element_count(dims)));
    for (double &value : values) value = 0.4 * random.normal();
    operands.push_back(body.add_constant(from_doubles(DType::float32, dims, values)));
  }
  Node lstm{.op = "LSTM", .inputs = operands, .attributes = {{"hidden_size", std::int64_t{24}}}};
  body.add_output(body.add_op(std::move(lstm), Type::tensor(DType::float32, Dims{7, 1, 1, 24})), "y");
  return std::make_shared<const Graph>(std::move(body));
}

TEST(DynamicActivations, LstmsInBranchesMultiplyCodesToo) {
  const Rows rows({7, 1, 20});
  Graph before;
  before.opsets[""] = 13;
  const Type series = Type::tensor(DType::float32, Dims{7, 1, 20});
  const ValueId x = before.add_input("x", series);
  const ValueId yes = before.add_constant(from_int64s(DType::boolean, {}, std::vector<std::int64_t>{1}));
  Node choice{.op = "If",
              .inputs = {yes},
              .captures = {x, x},
              .attributes = {{"then_branch", branch(series, 1)}, {"else_branch", branch(series, 2)}}};
  before.add_output(before.add_op(std::move(choice), Type::tensor(DType::float32, Dims{7, 1, 1, 24})), "y");
  const Graph after = compressed(before, rows, {"target=ort"});
  EXPECT_GT(sqnr(before, after, rows, 8), 35);
  EXPECT_EQ(after.opset("com.microsoft"), 1);
  EXPECT_EQ(count_dynamic(after), 2U);
}

/// The same with reals for what was codes, and how many products and LSTMs that were.
Graph undone(Graph graph, std::size_t expected) {
  EXPECT_EQ(count_dynamic(graph), expected);
  EXPECT_EQ(undo_dynamic(graph, all_ops()).value(), expected);
  EXPECT_EQ(count_dynamic(graph), 0U);
  EXPECT_TRUE(infer_types(graph, all_ops()));
  return graph;
}

TEST(UndoDynamic, GivesBackTheRealsOfProductsAndLstms) {
  const Rows rows({4, 48});
  const Graph before = network(R"(
    g (float[4,48] x, float[48,48] a, float[48,48] b, float[40,48] c, float[40] d) => (float[4,40] y) {
      q = MatMul(x, a)  k = MatMul(x, b)  s = Add(q, k)
      y = Gemm<transB = 1>(s, c, d)
    })");
  const Graph back = undone(compressed(before, rows), 3);
  EXPECT_EQ(count(back, "MatMul"), 3U);
  EXPECT_EQ(count(back, "DynamicQuantizeLinear"), 0U);
  const double weights_only = sqnr(before, compressed(before, rows, {}, "int8=weights"), rows, 8);
  EXPECT_NEAR(sqnr(before, back, rows, 8), weights_only, 0.01); // the same codes, and nothing else is rounded

  const Rows series({7, 2, 20});
  const Graph lstm = network(R"(
    g (float[7,2,20] x, float[2,96,20] w, float[2,96,24] r) => (float[7,2,2,24] y) {
      y = LSTM<hidden_size = 24, direction = "bidirectional">(x, w, r)
    })");
  const Graph again = undone(compressed(lstm, series, {"target=ort"}), 1);
  EXPECT_NEAR(sqnr(lstm, again, series, 8), sqnr(lstm, compressed(lstm, series, {}, "int8=weights"), series, 8), 0.01);
}

TEST(UndoDynamic, TakesConvolutionsAsOnnxruntimeWritesThem) {
  const Rows rows({1, 2, 5, 5});
  const std::string head = "g (float[1,2,5,5] x) => (float[1,3,3,3] y) <int8[3,2,3,3] w = {";
  std::string codes, reals;
  Random random(3);
  for (int i = 0; i < 54; ++i) {
    const auto code = static_cast<int>(random.below(255)) - 127;
    codes += fmt::format("{}{}", i > 0 ? ", " : "", code);
    reals += fmt::format("{}{}", i > 0 ? ", " : "", 0.5 * (code - 3));
  }
  Graph dynamic = parse_graph("<opset_import: [\"\" : 13]>\n" + head + codes + R"(}, int8 zw = {3}, float sw = {0.5}> {
      xq, sx, zx = DynamicQuantizeLinear(x)
      s = Mul(sx, sw)  i = ConvInteger(xq, w, zx, zw)  r = Cast<to = 1>(i)  y = Mul(r, s)
    })")
                      .value();
  EXPECT_TRUE(infer_types(dynamic, all_ops()));
  Graph plain =
      parse_graph("<opset_import: [\"\" : 13]>\ng (float[1,2,5,5] x) => (float[1,3,3,3] y) <float[3,2,3,3] w = {" +
                  reals + "}> { y = Conv(x, w) }")
          .value();
  EXPECT_TRUE(infer_types(plain, all_ops()));
  const Graph back = undone(dynamic, 1);
  EXPECT_GT(sqnr(plain, back, rows, 8), 120);
  EXPECT_LT(sqnr(plain, dynamic, rows, 8), 70); // which rounds what it reads
}

TEST(UndoDynamic, LeavesWhatIsWrittenInOtherWords) {
  Graph graph = parse_graph(R"(<opset_import: ["" : 13]>
    g (float[1,2] x) => (int32[1,2] y) <int8[2,2] w = {1, 2, 3, 4}> {
      xq, sx, zx = DynamicQuantizeLinear(x)  y = MatMulInteger(xq, w, zx)
    })")
                    .value();
  EXPECT_EQ(undo_dynamic(graph, all_ops()).value(), 0U);
  EXPECT_EQ(count(graph, "MatMulInteger"), 1U);
}

} // namespace
} // namespace edgec
