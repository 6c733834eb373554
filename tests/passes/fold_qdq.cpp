// Quantized types survive an ONNX file in either spelling: fold(read(write(g))) is g.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "formats/onnx/onnx.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "ops/registry.h"
#include "passes/pass.h"

namespace edgec {
namespace {

using testing::HasSubstr;

constexpr std::string_view network = R"(<ir_version: 8, opset_import: ["" : 13]>
net (float[1,2,4,4] x) => (float[1,3] y)
  <float xs = {0.5}, uint8 xz = {120},
   int8[2,2,3,3]{axis=0; 0.25,0; 0.125,0} w1 = {1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 8, 7, 6, 5, 4, 3, 2, 1,
                                                -1, 2, -3, 4, -5, 6, -7, 8, -9, 9, -8, 7, -6, 5, -4, 3, -2, 1},
   int32[2]{axis=0; 0.125,0; 0.0625,0} b1 = {100, -2000},
   int8[2,2,1,1]{axis=0; 0.25,0; 0.5,0} w2 = {1, -2, 3, 4},
   int8[3,4]{axis=0; 0.25,0; 0.5,0; 0.125,0} w3 = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
   int32[3]{axis=0; 0.0625,0; 0.125,0; 0.03125,0} b3 = {1, 2, 3},
   uint8[1,2,4,4]{0.5,120} xq,
   uint8[1,2,4,4]{0.25,7} c1,
   uint8[1,2,2,2]{0.25,7} p1,
   uint8[1,2,2,2]{0.25,7} c2,
   uint8[1,4,2,2]{0.25,7} cat,
   uint8[1,4,2,2]{0.5,0} sum,
   uint8[1,4,1,1]{0.25,3} gap,
   uint8[1,4]{0.25,3} flat>
{
  [q] xq = QuantizeLinear(x, xs, xz)
  [conv1] c1 = Conv<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(xq, w1, b1)
  [pool] p1 = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(c1)
  [conv2] c2 = Conv<kernel_shape = [1, 1]>(p1, w2)
  [cat] cat = Concat<axis = 1>(p1, c2)
  [add] sum = Add(cat, cat)
  [gap] gap = GlobalAveragePool(sum)
  [flat] flat = Flatten(gap)
  [fc] y = Gemm<transB = 1>(flat, w3, b3)
}
)";

/// The graph's text, line by line in alphabetical order: files keep no order of values.
std::vector<std::string> lines_of(Graph graph) {
  EXPECT_TRUE(infer_types(graph, all_ops()));
  EXPECT_TRUE(graph.sort());
  EXPECT_TRUE(verify(graph));
  std::vector<std::string> lines;
  std::istringstream text(to_text(graph));
  for (std::string line; std::getline(text, line);) {
    while (!line.empty() && (line.back() == ',' || line.back() == '>')) line.pop_back();
    line.erase(0, line.find_first_not_of(" <"));
    lines.push_back(line);
  }
  std::ranges::sort(lines);
  return lines;
}

Result<Model> through_a_file(const Model &model, OnnxSpelling spelling) {
  const auto file = std::filesystem::path(testing::TempDir()) / "fold_qdq.onnx";
  EDGEC_CHECK(write_onnx(model, file, {.spelling = spelling, .ops = &all_ops(), .force = true}));
  EDGEC_ASSIGN(Model read, read_onnx(file));
  EDGEC_CHECK(infer_types(read.graph, all_ops()));
  return read;
}

Result<bool> fold(Graph &graph) { return find_pass("fold-qdq")->run(graph, PassContext{all_ops()}); }

std::vector<std::string> operators(const Graph &graph) {
  std::vector<std::string> found;
  for (const NodeId id : graph.nodes()) found.push_back(graph.node(id).op);
  return found;
}

class FoldQdq : public testing::TestWithParam<OnnxSpelling> {};

TEST_P(FoldQdq, GivesBackTheGraphThatWasWritten) {
  const auto model = parse_model(network);
  ASSERT_TRUE(model) << model.error().message;
  auto read = through_a_file(*model, GetParam());
  ASSERT_TRUE(read) << read.error().message;
  const auto changed = fold(read->graph);
  ASSERT_TRUE(changed) << changed.error().message;
  EXPECT_TRUE(*changed);
  EXPECT_EQ(lines_of(read->graph), lines_of(model->graph));
  EXPECT_FALSE(*fold(read->graph));
}

INSTANTIATE_TEST_SUITE_P(Spellings, FoldQdq, testing::Values(OnnxSpelling::qdq, OnnxSpelling::qoperator),
                         [](const auto &one) { return one.param == OnnxSpelling::qdq ? "Qdq" : "QOperator"; });

TEST(Spelling, QdqLeavesOperatorsThatMoveCodesAlone) {
  const auto read = through_a_file(*parse_model(network), OnnxSpelling::qdq);
  ASSERT_TRUE(read) << read.error().message;
  const auto count = [&](std::string_view op) { return std::ranges::count(operators(read->graph), op); };
  EXPECT_EQ(count("DequantizeLinear"), 10); // xq, p1, cat, sum, flat, three weights, two biases
  EXPECT_EQ(count("QuantizeLinear"), 5);    // xq, c1, c2, sum, gap
}

TEST(Spelling, QOperatorNamesOnnxruntimesOperators) {
  const auto read = through_a_file(*parse_model(network), OnnxSpelling::qoperator);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(operators(read->graph),
              testing::ElementsAre("QuantizeLinear", "QLinearConv", "MaxPool", "QLinearConv", "Concat", "QLinearAdd",
                                   "QLinearGlobalAveragePool", "Flatten", "QGemm"));
  EXPECT_EQ(read->graph.opset("com.microsoft"), 1);
}

TEST(Spelling, AsksForTheOpsetThatItNeeds) {
  auto model = parse_model(network);
  model->graph.opsets[""] = 12;
  const auto written = serialize_onnx(*model, {});
  ASSERT_FALSE(written);
  EXPECT_THAT(written.error().message, HasSubstr("need opset 13, the model has 12: give --opset 13"));
}

/// What becomes of a graph of float operators between QuantizeLinear and DequantizeLinear.
std::string folded(std::string_view text) {
  auto graph = parse_graph(text);
  if (!graph) return graph.error().message;
  if (auto done = infer_types(*graph, all_ops()); !done) return done.error().message;
  if (auto done = fold(*graph); !done) return done.error().message;
  if (!graph->sort() || !verify(*graph)) return "broken";
  std::string found;
  for (const std::string &op : operators(*graph)) found += op + " ";
  return found;
}

std::string between(std::string_view constants, std::string_view nodes) {
  return fmt::format("<opset_import: [\"\" : 13]>\nf (uint8[1,2,2,2] a, float[1,2,2,2] r) => (float[1,2,2,2] y)\n"
                     "<float s = {{0.5}}, float t = {{0.25}}, uint8 z = {{3}}, {}>\n{{\n{}\n}}",
                     constants, nodes);
}

TEST(FoldQdqLeaves, AValueThatIsReadAsPlainIntegers) {
  EXPECT_EQ(folded(between("int8 k = {0}", R"(
    b = DequantizeLinear(a, s, z)
    c = Relu(b)
    d = QuantizeLinear(c, s, z)
    e = DequantizeLinear(d, s, z)
    i = Cast<to = 1>(d)
    y = Add(e, i))")),
            "DequantizeLinear Relu QuantizeLinear DequantizeLinear Cast Add ");
}

TEST(FoldQdqLeaves, AValueThatIsReadWithTwoScales) {
  EXPECT_EQ(folded(between("int8 k = {0}", R"(
    b = DequantizeLinear(a, s, z)
    c = DequantizeLinear(a, t, z)
    y = Add(b, c))")),
            "DequantizeLinear DequantizeLinear Add ");
}

TEST(FoldQdqLeaves, AConvolutionWithAFloatBiasOrABiasOfAnotherScale) {
  constexpr std::string_view nodes = R"(
    b = DequantizeLinear(a, s, z)
    v = DequantizeLinear(w, t)
    {}
    c = Conv(b, v, d)
    e = QuantizeLinear(c, s, z)
    y = DequantizeLinear(e, s, z))";
  constexpr std::string_view constants = "int8[2,2,1,1] w = {1, 2, 3, 4}, float u = {0.125}, ";
  const auto with = [&](std::string_view bias, std::string_view node) {
    return folded(between(std::string(constants) + std::string(bias), fmt::format(fmt::runtime(nodes), node)));
  };
  EXPECT_EQ(with("float[2] d = {1, 2}", ""), "DequantizeLinear DequantizeLinear Conv QuantizeLinear DequantizeLinear ");
  EXPECT_EQ(with("int32[2] i = {1, 2}", "d = DequantizeLinear(i, t)"),
            "DequantizeLinear DequantizeLinear DequantizeLinear Conv QuantizeLinear DequantizeLinear ");
  EXPECT_EQ(with("int32[2] i = {1, 2}", "d = DequantizeLinear(i, u)"), "Conv DequantizeLinear ");
}

TEST(FoldQdqLeaves, AnOperatorWithAnotherFloatReader) {
  EXPECT_EQ(folded(between("int8 k = {0}", R"(
    b = DequantizeLinear(a, s, z)
    c = LeakyRelu(b)
    d = QuantizeLinear(c, t, z)
    e = DequantizeLinear(d, t, z)
    y = Add(e, c))")),
            "DequantizeLinear LeakyRelu QuantizeLinear DequantizeLinear Add ");
}

} // namespace
} // namespace edgec
