// Models in another opset: raised, lowered, written out, refused.
#include <gmock/gmock.h>

#include "ir/text.h"
#include "ops/registry.h"
#include "tests/formats_onnx/protos.h"

namespace edgec {
namespace {

using test::add_attribute;
using test::add_info;
using test::add_node;
using test::relu_model;
using testing::HasSubstr;
using A = onnx::AttributeProto;

/// Read, and converted as it stands.
Result<Model> converted(const onnx::ModelProto &proto, std::int64_t opset) {
  EDGEC_ASSIGN(Model model, test::parse(proto));
  EDGEC_CHECK(infer_types(model.graph, all_ops()));
  EDGEC_CHECK(convert_opset(model, opset, &all_ops()));
  return model;
}

TEST(OnnxOpsets, AreRaisedAndLoweredOnRequest) {
  onnx::ModelProto proto = relu_model(7);
  auto &graph = *proto.mutable_graph();
  add_info(graph.mutable_output(), "z", onnx::TensorProto::FLOAT, {2});
  auto &node = add_node(graph, "Dropout", {"y"}, {"z"}, "drop");
  add_attribute(node, "ratio", A::FLOAT).set_f(0.25F);
  node.set_doc_string("kept");
  const auto raised = converted(proto, 13);
  ASSERT_TRUE(raised) << raised.error().message;
  EXPECT_EQ(raised->graph.opset(), 13);
  const Node &drop = *raised->graph.producer(raised->graph.outputs()[1].value);
  EXPECT_EQ(drop.inputs.size(), 2U); // the ratio became an input
  EXPECT_EQ(drop.origins, std::vector<std::string>{"drop"});
  EXPECT_EQ(drop.name, "drop");
  EXPECT_EQ(drop.doc, "kept");
  EXPECT_EQ(converted(proto, 9)->graph.opset(), 9);
  EXPECT_EQ(converted(relu_model(12), 9)->graph.opset(), 9);
  EXPECT_EQ(test::parse(proto)->graph.opset(), 7);
  EXPECT_EQ(test::parse(relu_model(6))->graph.opset(), 7); // older than what is read as it is
}

TEST(OnnxOpsets, ConversionLeavesWeightsAlone) {
  onnx::ModelProto proto = relu_model(7);
  auto &graph = *proto.mutable_graph();
  auto &tensor = *graph.add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(1000);
  tensor.set_raw_data(std::string(4000, 'w'));
  add_node(graph, "Sum", {"w", "w"}, {"s"}, "sum");
  const auto raised = converted(proto, 21);
  ASSERT_TRUE(raised) << raised.error().message;
  ASSERT_EQ(raised->graph.inputs().size(), 1U);
  ASSERT_TRUE(test::constant_of(raised->graph));
  EXPECT_EQ(test::constant_of(raised->graph)->data.size(), 4000U);
}

TEST(OnnxOpsets, RefusalsNameTheOperator) {
  onnx::ModelProto proto = relu_model(13);
  add_node(*proto.mutable_graph(), "NoSuchOperator", {"y"}, {"z"});
  EXPECT_THAT(test::message_of(converted(proto, 14)),
              testing::AllOf(HasSubstr("opset 13 cannot be converted to 14"), HasSubstr("NoSuchOperator")));
  EXPECT_THAT(test::message_of(converted(relu_model(), 99)), HasSubstr("opset 99 cannot be written: 7 to 28 can"));
}

TEST(OnnxOpsets, TheIrVersionIsAsLowAsTheOpsetAllows) {
  const auto ir_of = [](std::int64_t opset, std::int64_t ir) {
    onnx::ModelProto proto = relu_model(opset), written;
    proto.set_ir_version(ir);
    EXPECT_TRUE(written.ParseFromString(*serialize_onnx(*test::parse(proto), {})));
    return written.ir_version();
  };
  EXPECT_EQ(ir_of(7, 3), 3);
  EXPECT_EQ(ir_of(13, 8), 8); // never lowered
  EXPECT_EQ(ir_of(13, 4), 7);
  EXPECT_EQ(ir_of(21, 8), 10);
}

/// `y = OP(x)` with attributes, in the text form; converted.
std::string converted(std::string_view text, std::int64_t opset) {
  auto model = parse_model(text);
  if (!model) return model.error().message;
  if (const Status inferred = infer_types(model->graph, all_ops()); !inferred) return inferred.error().message;
  if (const Status done = convert_opset(*model, opset, &all_ops()); !done) return done.error().message;
  const auto bytes = serialize_onnx(*model, {}); // ONNX's checker agrees
  return bytes ? to_text(model->graph, {.only_quantized_types = true}) : bytes.error().message;
}

TEST(OnnxOpsets, OperatorsWithoutAnAdapterStayWhereTheirSchemasAllowIt) {
  EXPECT_THAT(converted("<ir_version: 8, opset_import: [\"\": 13]> g (float[2] x) => (float[2] y) { y = Relu(x) }", 9),
              HasSubstr("y = Relu(x)"));
  EXPECT_THAT(converted("<ir_version: 8, opset_import: [\"\": 14]> g (float[2,2] x, int64[1] s) => (float[4] y)"
                        "{ y = Reshape<allowzero = 0>(x, s) }",
                        13),
              HasSubstr("y = Reshape(x, s)")); // the default of an attribute that came later goes
  EXPECT_THAT(converted("<ir_version: 8, opset_import: [\"\": 14]> g (float[2,2] x, int64[1] s) => (float[4] y)"
                        "{ [flat] y = Reshape<allowzero = 1>(x, s) }",
                        13),
              HasSubstr("opset 14 cannot be converted to 13"));
  EXPECT_THAT(
      converted("<ir_version: 8, opset_import: [\"\": 14]> g (bfloat16[2] x) => (bfloat16[2] y) { [rect] y = Relu(x) }",
                12),
      HasSubstr("node rect: Relu of opset 12 does not take operand 0 of tensor(bfloat16)"));
  EXPECT_THAT(converted("<ir_version: 8, opset_import: [\"\": 13]> g (bool c, float[2] x) => (float[2] y) {"
                        "  y = If(c) <then_branch = t () => (float[2] p) { p = Relu(x) },"
                        "             else_branch = e () => (float[2] q) { q = Abs(x) }> }",
                        11),
              testing::AllOf(HasSubstr("p = Relu(x)"), HasSubstr("q = Abs(x)")));
}

TEST(OnnxOpsets, WhatOnlySaysTheDefaultGoesInBodiesToo) {
  EXPECT_THAT(
      converted("<ir_version: 8, opset_import: [\"\": 14]> g (bool c, float[2,2] x, int64[1] s) => (float[4] y) {"
                "  y = If(c) <then_branch = t () => (float[4] p) { p = Reshape<allowzero = 0>(x, s) },"
                "             else_branch = e () => (float[4] q) { q = Reshape(x, s) }> }",
                13),
      HasSubstr("p = Reshape(x, s)"));
  EXPECT_THAT(converted("<ir_version: 8, opset_import: [\"\": 18]> g (float[4] x) => (float[2] y, float[2] z)"
                        "{ y, z = Split<num_outputs = 2>(x) }",
                        13),
              HasSubstr("y, z = Split(x)"));
}

TEST(OnnxOpsets, ConstantOperandsBecomeTheAttributesThatTheyWere) {
  EXPECT_THAT(converted("<ir_version: 8, opset_import: [\"\": 13]> g (float[4] x) => (float[2] y)"
                        "<int64[1] from = {1}, int64[1] to = {3}, int64[1] axis = {0}, int64[1] step = {1}>"
                        "{ y = Slice(x, from, to, axis, step) }",
                        9),
              HasSubstr("{\n  y = Slice<axes = [0], ends = [3], starts = [1]>(x)\n}"));
  EXPECT_THAT(
      converted(
          "<ir_version: 8, opset_import: [\"\": 13]> g (float[4] x) => (float[4] y) <float low = {0}, float high = {6}>"
          "{ y = Clip(x, low, high) }",
          9),
      testing::AllOf(HasSubstr("max = 6"), HasSubstr("min = 0"), HasSubstr(">(x)")));
  EXPECT_THAT(converted("<ir_version: 8, opset_import: [\"\": 13]> g (float[4] x) => (float[2] y)"
                        "<int64[1] from = {0}, int64[1] to = {4}, int64[1] axis = {0}, int64[1] step = {2}>"
                        "{ [cut] y = Slice(x, from, to, axis, step) }",
                        9),
              HasSubstr("node cut: Slice of opset 9 does not take 5 operands"));
}

TEST(OnnxOpsets, ConstantsFromOutsideASubGraphBecomeAttributesInIt) {
  const std::string text =
      converted("<ir_version: 8, opset_import: [\"\": 18]> g (bool c, float[2,4] x) => (float[2,1] y)"
                "<int64[1] axes = {1}> { y = If(c) <then_branch = t () => (float[2,1] a)"
                "{ a = ReduceMean(x, axes) }, else_branch = e () => (float[2,1] b)"
                "{ d = Constant<value = int64[1] {1}>()  b = ReduceMax<noop_with_empty_axes = 1>(x, d) }> }",
                17);
  EXPECT_THAT(text, testing::AllOf(HasSubstr("a = ReduceMean<axes = [1]"), HasSubstr("b = ReduceMax<axes = [1]")));
}

TEST(OnnxOpsets, SubGraphsAreConvertedWithTheirOwnOperators) {
  const std::string text =
      converted("<ir_version: 8, opset_import: [\"\": 16]> g (bool c, float[2,4] x, int64 n) => (float[4,2] y)"
                "<int64[1] zero = {0}> { y = If(c) <then_branch = t () => (float[4,2] a) {"
                "  p = Loop(n, c, x) <body = l (int64 i, bool d, float[2,4] u) => (bool e, float[2,4] v)"
                "  { e = Identity(d)  w = Unsqueeze(u, zero)  z = Squeeze(w, zero)  v = Add(z, x) }>"
                "  a = Transpose(p) }, else_branch = f () => (float[4,2] b) { b = Transpose(x) }> }",
                9);
  EXPECT_THAT(text, testing::AllOf(HasSubstr("Unsqueeze<axes = [0]>(u)"), HasSubstr("Squeeze<axes = [0]>(w)"),
                                   HasSubstr("v = Add(z, x)"), testing::Not(HasSubstr("edgec"))));
}

TEST(OnnxOpsets, OperatorsThatAnOpsetLacksAreWrittenOut) {
  const std::string text =
      converted("<ir_version: 8, opset_import: [\"\": 17]> g (float[2,4] x, float[4] s, float[4] b) => (float[2,4] y)"
                "{ [norm] y = LayerNormalization(x, s, b) }",
                15);
  EXPECT_THAT(
      text, testing::AllOf(HasSubstr("ReduceMean"), HasSubstr("Sqrt"), testing::Not(HasSubstr("LayerNormalization"))));
  EXPECT_THAT(
      converted("<ir_version: 8, opset_import: [\"\": 20]> g (float[2,4] x) => (float[2,4] y) { y = Gelu(x) }", 17),
      testing::AllOf(HasSubstr("Erf"), testing::Not(HasSubstr("Gelu"))));
  EXPECT_THAT(
      converted(
          "<ir_version: 8, opset_import: [\"\": 20]> g (bool c, float[2,4] x) => (float[2,4] y)"
          "{ y = If(c) <then_branch = t () => (float[2,4] a) { a = Gelu(x) }, else_branch = e () => (float[2,4] b)"
          "{ b = Neg(x) }> }",
          17),
      testing::AllOf(HasSubstr("Erf"), testing::Not(HasSubstr("Gelu"))));
  EXPECT_THAT(
      converted("<ir_version: 8, opset_import: [\"\": 16]> g (float[1,1,4,4] x, float[1,2,2,2] p) => (float[1,1,2,2] y)"
                "{ [grid] y = GridSample(x, p) }",
                15),
      HasSubstr("node grid: operator GridSample came with opset 16 and is not defined by older ones"));
}

TEST(OnnxOpsets, LoweredTheIrVersionIsTheLowestThatWillDo) {
  onnx::ModelProto proto = relu_model(21), written;
  proto.set_ir_version(10);
  ASSERT_TRUE(written.ParseFromString(*serialize_onnx(*converted(proto, 9), {})));
  EXPECT_EQ(written.ir_version(), 4);
}

} // namespace
} // namespace edgec
