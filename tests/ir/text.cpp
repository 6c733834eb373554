#include "ir/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "support/random.h"

namespace edgec {
namespace {

// Says everything that the syntax can say, in the printer's own layout.
constexpr std::string_view everything = R"(<opset_import: ["" : 17, "com.acme" : 1]>
"net 1" (float[N,3,?,"a b"] x, int64[] n, seq(map(int64,float[2])) s, ? odd, bool c) => (float[] y, uint8[4]{0.5,128} q, float[N,3,?,"a b"] again = x)
  <float[2] w = {1.5, -inf},
   int8[2,1]{axis=0; 0.1,0; 0.25,-3} k = {-128, 127},
   int4[3] nibbles = {-8, 7, 3},
   uint64 big = {18446744073709551615},
   float16 half = {15360},
   bool[2] flags = {0, 1},
   string[2] words = {"a \"b\"", "back\\slash"},
   float[0] none = {},
   uint8[4]{0.25,0} inner>
{
  [first] a = Relu(x)
  [second | one | "two 2"] y, "" = com.acme.Op:other<f = 1.0, i = -3, s = "x", fs = [0.5, nan], none: ints = [], t = float[2] {1, 2}, type = seq(float[3]), types = [float, int64[2]], raw: opaque = "0aff">(a, "", w, k)
  inner = "odd domain"."Odd Op"(nibbles, big, half, flags, words, none)
  q = Abs(inner)
  = Sink(n)
  z = If(c) <then_branch = yes () => (float[N,3,?,"a b"] r) {
      r = Neg(a)
    }, else_branch = "" () => (float[N,3,?,"a b"] r = x)
      <float one = {1}>
    {
    }>
}
)";

std::string round_trip(std::string_view text) {
  const auto graph = parse_graph(text);
  return graph ? to_text(*graph) : "error: " + graph.error().message;
}

std::string error_of(std::string_view text) {
  const auto graph = parse_graph(text);
  return graph ? "no error" : graph.error().message;
}

TEST(Text, PrintsWhatItParsed) { EXPECT_EQ(round_trip(everything), everything); }

TEST(Text, ReadsWhatTheOnnxSyntaxAllows) {
  EXPECT_EQ(round_trip(R"(# attributes behind, defaults of inputs, trailing and leading commas
    agraph (float[N, 128] X, float[2] W = {1, 2}) => (float[N, 10] C) # comment
    { C = ai.onnx.Foo(X, W, ) <alpha: float = 1, value = float[2] v = {1.0, 2.0}, flag = int32 {3}> "D" = Bar(,C) })"),
            R"(agraph (float[N,128] X) => (float[N,10] C)
  <float[2] W = {1, 2}>
{
  C = Foo<alpha = 1.0, value = float[2] {1, 2}, flag = int32 {3}>(X, W)
  D = Bar("", C)
}
)");
}

TEST(Text, ModelsKeepTheirHeader) {
  constexpr std::string_view text = R"(<
  ir_version: 8,
  opset_import: ["" : 13],
  producer_name: "somebody",
  model_version: 3,
  metadata_props: ["k": "v", "k2": "v2"]
>
g () => () {
}
)";
  const auto model = parse_model(text);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->graph.opset(), 13);
  EXPECT_EQ(to_text(*model), text);
}

TEST(Text, CapturesAreOperandsInOrderOfAttributes) {
  const auto graph =
      parse_graph("g (bool c, float a, float b) => (float y) {"
                  " y = If(c) <p = t () => (float r) { r = Add(b, a) }, q = e () => (float r) { r = Neg(b) }> }");
  ASSERT_TRUE(graph) << graph.error().message;
  const Node &node = graph->node(graph->nodes().front());
  const auto inputs = graph->inputs();
  EXPECT_EQ(node.captures, (std::vector{inputs[2], inputs[1], inputs[2]}));
  EXPECT_EQ((*node.get<SubGraph>("p"))->captures().size(), 2U);
}

TEST(Text, AnInnermostGraphReachesThroughAllGraphsAroundIt) {
  constexpr std::string_view text = "g (bool c, float a) => (float y) { y = If(c) <p = t () => (float r) {"
                                    " r = If(c) <p = u () => (float s) { s = Neg(a) }> }> }";
  const auto graph = parse_graph(text);
  ASSERT_TRUE(graph) << graph.error().message;
  EXPECT_EQ(graph->node(graph->nodes().front()).captures.size(), 2U);
  EXPECT_EQ(round_trip(to_text(*graph)), to_text(*graph));
}

TEST(Text, ValuesWithoutANameOrWithATakenOneGetOne) {
  Graph graph;
  const Type type = Type::tensor(DType::float32, Dims{1});
  ValueId last = graph.add_input("t0", type);
  for (const char *name : {"", "t0", "t0", "y", ""})
    last = [&] {
      const ValueId out = graph.add_value(type, name);
      graph.add_node({.op = "Relu", .inputs = {last}, .outputs = {out}});
      return out;
    }();
  graph.add_output(last, "y");
  const std::string text = to_text(graph);
  EXPECT_EQ(round_trip(text), text);
  EXPECT_THAT(text, testing::HasSubstr("y = Relu("));
}

TEST(Text, HashesStandForLargeTensors) {
  Graph graph;
  graph.add_constant(Tensor::of({17}, std::vector<float>(17, 1.0F)), "a");
  graph.add_constant(Tensor::of({16}, std::vector<float>(16, 1.0F)), "b");
  const std::string text = to_text(graph, {.hash_tensors = true});
  EXPECT_THAT(text, testing::HasSubstr("float[17] a = \""));
  EXPECT_THAT(text, testing::HasSubstr("float[16] b = {1, 1"));
}

TEST(Text, FloatsComeBackBitForBit) {
  Random random(1);
  std::vector<float> values{0.0F, -0.0F, 1e-45F, 3.4028235e38F, INFINITY, -INFINITY, 0.1F};
  for (int i = 0; i < 1000; ++i) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random.bits()));
    if (!std::isnan(value)) values.push_back(value);
  }
  Graph graph;
  const Tensor tensor = Tensor::of({static_cast<std::int64_t>(values.size())}, values);
  graph.add_constant(tensor, "a");
  const auto back = parse_graph(to_text(graph));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(identical(*back->constant(back->values().front()), tensor));
}

TEST(Text, ErrorsSayWhereAndWhatWasExpected) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "line 1, column 1: expected a graph's name, found the end of the text"},
      {"g (float x) => (float y)\n{ y = Relu(z) }", "line 2, column 13: `z` is not defined before this node"},
      {"g (float x) => (float y) { }", "line 1, column 24: graph output `y` is not computed"},
      {"g (float x, float x) => () { }", "line 1, column 20: `x` is defined twice"},
      {"g (flat x) => () { }", "line 1, column 4: expected a type, found `flat`"},
      {"g (float[-1] x) => () { }", "line 1, column 12: a dimension of -1"},
      {"g () => () <float[2] w = {1}> { }", "line 1, column 29: expected 2 elements, found 1"},
      {"g () => () <float[N] w = {1}> { }", "line 1, column 25: a tensor's dimensions must all be numbers: float[N]"},
      {"g () => () <float[99999999999] w = {1}> { }", "line 1, column 39: expected 99999999999 elements, found 1"},
      {"g () => () <float[4294967296,4294967296,4294967296] w = {1}> { }",
       "line 1, column 56: a tensor's dimensions must all be numbers: float[4294967296,4294967296,4294967296]"},
      {"g () => () <uint8 w = {256}> { }", "line 1, column 27: 256 does not fit uint8"},
      {"g () => () <int64 w = {9223372036854775808}> { }",
       "line 1, column 43: 9223372036854775808 does not fit 64 bits"},
      {"g () => () <float w = {1e99}> { }", "line 1, column 28: 1e99 is too large"},
      {"g () => () <string w = {\"open}> { }", "line 1, column 25: a quoted string does not end"},
      {"g () => () <uint8{0.1} w = {1}> { }", "line 1, column 22: expected `,`, found `}`"},
      {"g () => () { = A<a = 1, a = 2>() }", "line 1, column 28: attribute `a` is given twice"},
      {"g () => () { = A<a = [1, 2.0]>() }", "line 1, column 29: a list holds values of two kinds"},
      {"g () => () { = A<a = []>() }", "line 1, column 23: an empty list needs its kind, as in `name: ints = []`"},
      {"g () => () { = A<a: int = 1.5>() }", "line 1, column 30: expected a value of kind int, found float"},
      {"g () => () { = A<a = @b>() }", "line 1, column 22: references to a function's attributes are not supported"},
      {"<colour: \"red\"> g () => () { }", "line 1, column 9: `colour` is not a property of a model"},
      {"g () => () { } rest", "line 1, column 16: expected the end of the text, found `rest`"},
  };
  for (const auto &[text, message] : cases) EXPECT_EQ(error_of(text), message);
}

TEST(Text, NestingIsBounded) {
  std::string graphs = "g () => () ", types = "g (";
  for (int i = 0; i < 100000; ++i) {
    graphs += "{ = A<b = g () => () ";
    types += "seq(";
  }
  EXPECT_THAT(error_of(graphs), testing::EndsWith("graphs nest deeper than 32"));
  EXPECT_THAT(error_of(types), testing::EndsWith("types nest deeper than 32"));
}

TEST(Text, EveryTruncationIsRefused) {
  const std::string_view trimmed = everything.substr(0, everything.size() - 1);
  for (std::size_t size = 0; size < trimmed.size(); ++size) EXPECT_FALSE(parse_graph(trimmed.substr(0, size))) << size;
}

TEST(Text, CorruptedTextIsReadOrRefused) {
  Random random(7);
  for (int i = 0; i < 3000; ++i) {
    std::string text(everything);
    for (int k = 0; k < 3; ++k) text[random.below(text.size())] = static_cast<char>(random.below(256));
    const auto graph = parse_graph(text);
    EXPECT_TRUE(!graph || round_trip(to_text(*graph)) == to_text(*graph));
  }
}

TEST(Text, TypesReadBack) {
  for (const char *text :
       {"float", "float[]", "float[1,?,N]", "uint8[1,64,56,56]{0.0213,12}", "int8[4]{axis=0,block=2; 0.5,0; 1,1}",
        "seq(float[2])", "optional(seq(string))", "map(string,int64)", "sparse_tensor(float[3])", "?"}) {
    const auto type = parse_type(text);
    ASSERT_TRUE(type) << type.error().message;
    EXPECT_EQ(to_string(*type), text);
  }
}

} // namespace
} // namespace edgec
