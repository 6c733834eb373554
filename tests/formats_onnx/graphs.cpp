// What a graph keeps on its way through a file: names, attributes, sub-graphs, functions, types.
#include <gmock/gmock.h>

#include "ir/text.h"
#include "ir/verify.h"
#include "tests/formats_onnx/protos.h"

namespace edgec {
namespace {

using test::add_attribute;
using test::add_info;
using test::add_node;
using test::relu_model;
using testing::ElementsAre;
using testing::HasSubstr;
using A = onnx::AttributeProto;

/// The graph's text after a way through a file; the checker's warnings or the error behind it.
std::string through_a_file(const Model &model) {
  std::vector<std::string> warnings;
  const auto bytes = serialize_onnx(model, {}, &warnings);
  if (!bytes) return bytes.error().message;
  const auto again = parse_onnx(test::storage_of(*bytes), "");
  if (!again) return again.error().message;
  if (auto sound = verify(again->graph); !sound) return sound.error().message;
  std::string text = to_text(again->graph);
  for (const std::string &warning : warnings) text += warning;
  return text;
}

std::string through_a_file(std::string_view text) {
  const auto model = parse_model(text);
  return model ? through_a_file(*model) : model.error().message;
}

/// A file does not know types of inner values.
TEST(OnnxGraphs, KeepWhatTheTextSays) {
  constexpr std::string_view text = R"(<opset_import: ["" : 17, "com.acme" : 1]>
"net 1" (float[N,3,?,"a b"] x, seq(map(int64,float[2])) s, optional(seq(string)) o, bool c) => (float[N,3,?,"a b"] y, float[2] z)
  <float[2] w = {1.5, -inf},
   ? a,
   ? "",
   ? "in ner">
{
  [first] a = Relu(x)
  [second] y, "in ner" = com.acme.Op:other<f = 1.0, i = -3, s = "x", fs = [0.5, nan], none: ints = [], t = float[2] {1, 2}, ts = [int8 {3}, string[1] {"q"}], ss = ["a", ""], type = seq(float[3]), types = [float, int64[2]]>(a, "", w)
  [third] z = If(c) <then_branch = yes () => (float[?] r)
      <? r>
    {
      r = Neg(a)
    }, else_branch = no () => (float[?] r) {
      r = Exp("in ner")
    }>
}
)";
  const auto model = parse_model(text);
  ASSERT_TRUE(model) << model.error().message;
  const std::string once = through_a_file(*model);
  for (const char *part :
       {"\"net 1\" (float[N,3,?,\"a b\"] x, seq(map(int64,float[2])) s, optional(seq(string)) o, bool c)",
        "[first] a = Relu(x)", "com.acme.Op:other<f = 1.0, i = -3, s = \"x\", fs = [0.5, nan]", "none: ints = []",
        "t = float[2] {1, 2}, ts = [int8 {3}, string[1] {\"q\"}], ss = [\"a\", \"\"], type = seq(float[3]), types = "
        "[float, int64[2]]",
        "(a, \"\", w)", "then_branch = yes", "Neg(a)", "Exp(\"in ner\")", "\"com.acme\" : 1"})
    EXPECT_THAT(once, HasSubstr(part));
}

TEST(OnnxGraphs, OutputsKeepTheirNames) {
  const std::string text = through_a_file(R"(<ir_version: 8, opset_import: ["" : 13]>
    g (float[2] x) => (float[2] a = x, float[2] b = r, float[2] c = r, float[2] d = k, float[2] x = x) <float[2] k = {1, 2}> { r = Relu(x) })");
  EXPECT_THAT(text, HasSubstr("=> (float[2] a, float[2] b, float[2] c, float[2] d, float[2] x)"));
  EXPECT_THAT(text, HasSubstr("b = Relu(x)"));
  EXPECT_THAT(text, HasSubstr("a = Identity(x)"));
  EXPECT_THAT(text, HasSubstr("c = Identity(b)"));
  EXPECT_THAT(text, HasSubstr("d = Identity(k)"));
}

TEST(OnnxGraphs, TakenNamesBecomeShortFreeOnes) {
  Graph graph;
  graph.opsets[""] = 13;
  const Type type = Type::tensor(DType::float32, Dims{2});
  ValueId last = graph.add_input("a", type);
  for (int i = 0; i < 3; ++i) {
    Node node{.op = "Relu", .inputs = {last}};
    last = graph.add_op(node, type);
    graph.set_name(last, "out"); // thrice, and an output's
  }
  graph.add_output(last, "out");
  Model model;
  model.graph = std::move(graph);
  const std::string text = through_a_file(model);
  EXPECT_THAT(text, HasSubstr("b = Relu(a)"));
  EXPECT_THAT(text, HasSubstr("c = Relu(b)"));
  EXPECT_THAT(text, HasSubstr("out = Relu(c)"));
}

TEST(OnnxGraphs, InitializersThatAreInputsAreConstantsUnlessAskedFor) {
  onnx::ModelProto proto = relu_model();
  auto &tensor = *proto.mutable_graph()->add_initializer();
  tensor.set_name("x");
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(2);
  for (const float v : {-1.F, 2.F}) tensor.add_float_data(v);
  const auto constant = test::parse(proto);
  ASSERT_TRUE(constant) << constant.error().message;
  EXPECT_TRUE(constant->graph.inputs().empty());
  EXPECT_THAT(constant->notes, ElementsAre(HasSubstr("1 initializer that is also graph input")));
  const auto overridable = test::parse(proto, {.overridable = true});
  ASSERT_EQ(overridable->graph.inputs().size(), 1U);
  EXPECT_TRUE(overridable->input_defaults.contains("x"));
  const auto bytes = serialize_onnx(*overridable, {});
  const auto again = parse_onnx(test::storage_of(*bytes), "", {.overridable = true});
  EXPECT_TRUE(identical(again->input_defaults.at("x"), overridable->input_defaults.at("x")));
}

TEST(OnnxGraphs, OriginsAreNamesOrNumbers) {
  onnx::ModelProto proto = relu_model();
  auto &graph = *proto.mutable_graph();
  add_node(graph, "Relu", {"y"}, {"b"}, "same");
  add_node(graph, "Relu", {"b"}, {"c"}, "same");
  add_node(graph, "Relu", {"c"}, {"d"});
  const auto model = test::parse(proto);
  std::vector<std::string> origins;
  for (const NodeId id : model->graph.nodes()) origins.push_back(model->graph.node(id).origins.at(0));
  EXPECT_THAT(origins, ElementsAre("relu", "Relu#1", "Relu#2", "Relu#3"));
}

TEST(OnnxGraphs, SubGraphOutputsFromOutsideGetAnIdentity) {
  onnx::ModelProto proto = relu_model();
  auto &graph = *proto.mutable_graph();
  add_info(graph.mutable_input(), "c", onnx::TensorProto::BOOL, {});
  auto &node = add_node(graph, "If", {"c"}, {"z"}, "if");
  for (const char *branch : {"then_branch", "else_branch"}) {
    auto &inner = *add_attribute(node, branch, A::GRAPH).mutable_g();
    inner.set_name("b");
    add_info(inner.mutable_output(), "y");
  }
  add_info(graph.mutable_output(), "z");
  const auto model = test::parse(proto);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->notes.size(), 2U);
  const std::string text = through_a_file(*model);
  EXPECT_THAT(text, HasSubstr("= Identity(y)"));
  EXPECT_THAT(text, testing::Not(HasSubstr("checker")));
}

TEST(OnnxGraphs, FunctionsAreWrittenOut) {
  onnx::ModelProto proto = relu_model();
  proto.add_opset_import()->set_domain("my");
  proto.mutable_opset_import(1)->set_version(1);
  auto &function = *proto.add_functions();
  function.set_domain("my");
  function.set_name("Twice");
  function.add_input("p");
  function.add_output("q");
  function.add_attribute("axis");
  function.add_opset_import()->set_version(13);
  auto &inner = *function.add_node();
  inner.set_op_type("Softmax");
  inner.add_input("p");
  inner.add_output("q");
  add_attribute(inner, "axis", A::INT).set_ref_attr_name("axis");
  auto &call = add_node(*proto.mutable_graph(), "Twice", {"y"}, {"z"});
  call.set_domain("my");
  add_attribute(call, "axis", A::INT).set_i(-1);
  const auto model = test::parse(proto);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_THAT(to_text(model->graph), HasSubstr("Softmax<axis = -1>(y)"));
  EXPECT_THAT(model->notes, ElementsAre("1 function was written out where called"));
}

TEST(OnnxGraphs, UnknownOperatorsPassThrough) {
  const std::string text = through_a_file(R"(<ir_version: 8, opset_import: ["" : 13, "com.acme" : 3]>
    g (float[2] x) => (float[2] y) <float[2] m> { [odd] m = com.acme.Odd<k = 1>(x)  [relu] y = Relu(m) })");
  EXPECT_THAT(text, HasSubstr("[odd] m = com.acme.Odd<k = 1>(x)"));
  EXPECT_THAT(text, HasSubstr("float[2] m")); // nobody else knows its type
}

TEST(OnnxGraphs, StaleTypesInsideAreNotBelieved) {
  onnx::ModelProto proto = relu_model();
  add_node(*proto.mutable_graph(), "Abs", {"y"}, {"z"});
  add_info(proto.mutable_graph()->mutable_value_info(), "z", onnx::TensorProto::INT8, {7, 7});
  const auto model = test::parse(proto);
  EXPECT_EQ(to_string(model->graph.value(model->graph.node(model->graph.nodes()[1]).outputs[0]).type), "?");
}

TEST(OnnxGraphs, OutputShapesThatAreWrongAreNotBelieved) {
  onnx::ModelProto proto = relu_model();
  proto.mutable_graph()
      ->mutable_output(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(3);
  const auto model = test::parse(proto);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(to_string(model->graph.value(model->graph.outputs()[0].value).type), "float[]");
  EXPECT_THAT(model->notes, ElementsAre(HasSubstr("are not believed")));
}

TEST(OnnxGraphs, HeadersAndMetadataStay) {
  onnx::ModelProto proto = relu_model();
  proto.set_producer_name("somebody");
  proto.set_producer_version("7");
  proto.set_domain("org.example");
  proto.set_model_version(3);
  proto.set_doc_string("says");
  proto.add_metadata_props()->set_key("k");
  proto.mutable_metadata_props(0)->set_value("v");
  proto.mutable_graph()->mutable_node(0)->set_doc_string("node doc");
  proto.mutable_graph()->mutable_input(0)->set_doc_string("input doc");
  auto &type = *proto.mutable_graph()->mutable_input(0)->mutable_type();
  type.set_denotation("IMAGE");
  type.mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_denotation("DATA_BATCH");
  onnx::ModelProto again;
  ASSERT_TRUE(again.ParseFromString(*serialize_onnx(*test::parse(proto), {})));
  EXPECT_EQ(again.SerializeAsString(), proto.SerializeAsString());
}

/// Field 1999, which no version of ONNX has: a number, text and a group.
void add_unknown_fields(google::protobuf::Message &message) {
  auto &fields = *message.GetReflection()->MutableUnknownFields(&message);
  fields.AddVarint(1999, 1U << 20U);
  fields.AddLengthDelimited(1999, "of a later version \xff");
  fields.AddGroup(1998)->AddFixed32(1, 7);
}

TEST(OnnxGraphs, FieldsThatNobodyKnowsStay) {
  onnx::ModelProto proto = relu_model();
  auto &graph = *proto.mutable_graph();
  add_unknown_fields(proto);
  add_unknown_fields(graph);
  add_unknown_fields(*graph.mutable_node(0));
  add_unknown_fields(*graph.mutable_input(0));
  add_unknown_fields(*graph.mutable_output(0));
  auto &weight = *graph.add_initializer();
  weight.set_name("w");
  weight.set_data_type(onnx::TensorProto::FLOAT);
  weight.set_raw_data(std::string(4, 0));
  add_unknown_fields(weight);
  onnx::ModelProto again;
  ASSERT_TRUE(again.ParseFromString(*serialize_onnx(*test::parse(proto), {})));
  EXPECT_EQ(again.SerializeAsString(), proto.SerializeAsString());
}

TEST(OnnxGraphs, MetadataThatOnlyLooksLikeUnknownFieldsIsMetadata) {
  onnx::ModelProto proto = relu_model();
  for (const char *value : {"0", "xy", "ff", "0807"}) { // no bytes, no digits, no message, a known field
    auto &entry = *proto.add_metadata_props();
    entry.set_key("protobuf.unknown_fields");
    entry.set_value(value);
  }
  onnx::ModelProto again;
  ASSERT_TRUE(again.ParseFromString(*serialize_onnx(*test::parse(proto), {})));
  EXPECT_EQ(again.metadata_props_size(), 4);
  EXPECT_EQ(again.ir_version(), proto.ir_version());
}

TEST(OnnxChecker, VouchesForEveryFile) {
  Model model =
      *parse_model(R"(<ir_version: 8, opset_import: ["" : 13]> g (float[2] x) => (float[2] y) { y = Relu(x, x) })");
  const auto refused = serialize_onnx(model, {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::internal);
  EXPECT_THAT(refused.error().message, HasSubstr("ONNX's checker refuses the model that would be written"));
  model.source_failure = "so did the input";
  std::vector<std::string> warnings;
  EXPECT_TRUE(serialize_onnx(model, {}, &warnings));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("as it did the input")));
}

} // namespace
} // namespace edgec
