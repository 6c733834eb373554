// Broken files, each with what the reader says of it.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "tests/formats_onnx/protos.h"

namespace edgec {
namespace {

using test::add_attribute;
using test::add_info;
using test::add_node;
using test::message_of;
using test::relu_model;
using testing::HasSubstr;

struct Bad {
  const char *what;
  void (*spoil)(onnx::ModelProto &);
  const char *message;
};

/// Sub-graphs within sub-graphs.
void nest(onnx::GraphProto &graph, int depth) {
  if (depth == 0) return;
  auto &node = add_node(graph, "If", {"x"}, {"n" + std::to_string(depth)}, "if");
  nest(*add_attribute(node, "then_branch", onnx::AttributeProto::GRAPH).mutable_g(), depth - 1);
}

void add_function(onnx::ModelProto &model, const std::string &name, const std::string &calls, int times) {
  auto &function = *model.add_functions();
  function.set_domain("my");
  function.set_name(name);
  function.add_input("a");
  function.add_output("b0");
  function.add_opset_import()->set_version(13);
  for (int i = 0; i < times; ++i) {
    auto &node = *function.add_node();
    node.set_op_type(calls);
    node.set_domain("my");
    node.add_input("a");
    node.add_output("b" + std::to_string(i));
  }
}

const Bad table[] = {
    {"bad-no-graph", [](auto &m) { m.clear_graph(); }, "it is not an ONNX model: it has no graph"},
    {"bad-no-opset", [](auto &m) { m.clear_opset_import(); },
     "does not say which operator set it uses (no opset_import; IR version 8)"},
    {"bad-opset-of-the-future", [](auto &m) { m.mutable_opset_import(0)->set_version(1000); },
     "opset 1000 is newer than 28"},
    {"bad-impossible-opset", [](auto &m) { m.mutable_opset_import(0)->set_version(-3); }, "impossible opset -3"},
    {"bad-two-opsets", [](auto &m) { m.add_opset_import()->set_version(12); }, "imported in versions 13 and 12"},
    {"bad-dangling-input", [](auto &m) { m.mutable_graph()->mutable_node(0)->set_input(0, "z"); },
     "node relu (Relu): its input \"z\" is computed by nothing"},
    {"bad-dangling-output", [](auto &m) { m.mutable_graph()->mutable_output(0)->set_name("z"); },
     "graph output \"z\" is computed by nothing"},
    {"bad-duplicate-value", [](auto &m) { add_node(*m.mutable_graph(), "Abs", {"x"}, {"y"}); },
     "the name \"y\" is given to two values"},
    {"bad-duplicate-input", [](auto &m) { add_info(m.mutable_graph()->mutable_input(), "x"); },
     "the name \"x\" is given to two values"},
    {"bad-duplicate-output", [](auto &m) { add_info(m.mutable_graph()->mutable_output(), "y"); },
     "graph output \"y\" is listed twice"},
    {"bad-unnamed-input", [](auto &m) { m.mutable_graph()->mutable_input(0)->clear_name(); },
     "a graph input has no name"},
    {"bad-cycle",
     [](auto &m) {
       m.mutable_graph()->mutable_node(0)->set_input(0, "b");
       add_node(*m.mutable_graph(), "Abs", {"y"}, {"b"}, "abs");
     },
     "the graph has a cycle through node"},
    {"bad-no-operator", [](auto &m) { m.mutable_graph()->mutable_node(0)->clear_op_type(); },
     "it has no operator type"},
    {"bad-attribute-twice",
     [](auto &m) {
       for (int i = 0; i < 2; ++i) add_attribute(*m.mutable_graph()->mutable_node(0), "a", onnx::AttributeProto::INT);
     },
     "node relu (Relu): attribute a is given twice"},
    {"bad-attribute-without-a-value",
     [](auto &m) { m.mutable_graph()->mutable_node(0)->add_attribute()->set_name("a"); },
     "attribute a: has no value of a known kind"},
    {"bad-attribute-of-a-function-outside-of-one",
     [](auto &m) {
       add_attribute(*m.mutable_graph()->mutable_node(0), "a", onnx::AttributeProto::INT).set_ref_attr_name("b");
     },
     "attribute a refers to a function's attribute"},
    {"bad-equation",
     [](auto &m) { // ONNX's shape inference does not come back from it
       auto &einsum = add_node(*m.mutable_graph(), "Einsum", {"x"}, {"z"}, "sum");
       add_attribute(einsum, "equation", onnx::AttributeProto::STRING).set_s("i-{");
     },
     "Einsum: \"i-{\" is not an equation"},
    {"bad-equation-of-a-call",
     [](auto &m) {
       m.add_opset_import()->set_domain("my");
       add_function(m, "F", "Einsum", 1);
       auto &function = *m.mutable_functions(0);
       function.mutable_node(0)->clear_domain();
       add_attribute(*function.mutable_node(0), "equation", onnx::AttributeProto::STRING).set_ref_attr_name("how");
       function.add_attribute("how");
       auto &call = add_node(*m.mutable_graph(), "F", {"x"}, {"z"});
       call.set_domain("my");
       add_attribute(call, "how", onnx::AttributeProto::STRING).set_s("....");
     },
     "F: \"....\" is not an equation"},
    {"bad-nested-too-deeply", [](auto &m) { nest(*m.mutable_graph(), 40); }, "sub-graphs are nested deeper than 32"},
    {"bad-nested-beyond-all-measure", [](auto &m) { nest(*m.mutable_graph(), 1000); }, "nested too deeply"},
    {"bad-function-that-calls-itself",
     [](auto &m) {
       m.add_opset_import()->set_domain("my");
       add_function(m, "F", "F", 1);
       add_node(*m.mutable_graph(), "F", {"x"}, {"z"}).set_domain("my");
     },
     "functions call each other in a cycle"},
    {"bad-functions-that-explode",
     [](auto &m) {
       m.add_opset_import()->set_domain("my");
       for (int i = 0; i < 60; ++i) add_function(m, "F" + std::to_string(i), "F" + std::to_string(i + 1), 4);
       add_node(*m.mutable_graph(), "F0", {"x"}, {"z"}).set_domain("my");
     },
     "make a model of more than 1 GB"},
    {"bad-opaque-input-type",
     [](auto &m) { m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_opaque_type(); },
     "graph input \"x\": an opaque type"},
    {"bad-unknown-element-type",
     [](auto &m) { m.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(77); },
     "graph input \"x\": element type 77 is not known"},
    {"bad-type-nested-beyond-all-measure",
     [](auto &m) {
       auto *type = m.mutable_graph()->mutable_input(0)->mutable_type();
       for (int i = 0; i < 10000; ++i) type = type->mutable_sequence_type()->mutable_elem_type();
     },
     "nested too deeply"},
    {"bad-capture",
     [](auto &m) {
       auto &node = add_node(*m.mutable_graph(), "If", {"x"}, {"z"}, "if");
       auto &body = *add_attribute(node, "then_branch", onnx::AttributeProto::GRAPH).mutable_g();
       add_node(body, "Abs", {"nowhere"}, {"o"}, "abs");
     },
     "node if (If): attribute then_branch: node abs (Abs): its input \"nowhere\" is computed by nothing"},
    {"bad-capture-of-a-later-body",
     [](auto &m) { // what one body computes, another does not see
       auto &node = add_node(*m.mutable_graph(), "If", {"x"}, {"z"}, "if");
       add_node(*add_attribute(node, "then_branch", onnx::AttributeProto::GRAPH).mutable_g(), "Abs", {"x"}, {"o"});
       add_node(*add_attribute(node, "else_branch", onnx::AttributeProto::GRAPH).mutable_g(), "Abs", {"o"}, {"p"},
                "abs");
     },
     "its input \"o\" is computed by nothing"},
    {"bad-cycle-through-a-body",
     [](auto &m) {
       auto &node = add_node(*m.mutable_graph(), "If", {"x"}, {"z"}, "if");
       add_node(*add_attribute(node, "then_branch", onnx::AttributeProto::GRAPH).mutable_g(), "Abs", {"z"}, {"o"});
     },
     "the graph has a cycle through node if"},
    {"bad-weight-without-bytes",
     [](auto &m) {
       auto &tensor = *m.mutable_graph()->add_initializer();
       tensor.set_name("w");
       tensor.set_data_type(onnx::TensorProto::FLOAT);
       for (int i = 0; i < 4; ++i) tensor.add_dims(1024);
     },
     "tensor \"w\" of float[1024,1024,1024,1024] needs 4398046511104 bytes of data and has 0"},
    {"bad-half-bytes",
     [](auto &m) {
       auto &tensor = *m.mutable_graph()->add_initializer();
       tensor.set_name("w");
       tensor.set_data_type(onnx::TensorProto::INT4);
       tensor.add_dims(5);
       tensor.set_raw_data("ab");
     },
     "tensor \"w\" of int4[5] needs 3 bytes of data and has 2"},
    {"bad-attribute-tensor",
     [](auto &m) {
       auto &attribute = add_attribute(*m.mutable_graph()->mutable_node(0), "a", onnx::AttributeProto::TENSOR);
       attribute.mutable_t()->set_data_type(onnx::TensorProto::FLOAT8E4M3FN);
       attribute.mutable_t()->add_dims(-1);
     },
     "node relu (Relu): attribute a: a tensor has impossible dims [-1]"},
    {"bad-initializer-twice",
     [](auto &m) {
       for (int i = 0; i < 2; ++i) {
         auto &tensor = *m.mutable_graph()->add_initializer();
         tensor.set_name("w");
         tensor.set_data_type(onnx::TensorProto::FLOAT);
         tensor.add_float_data(1);
       }
     },
     "the name \"w\" is given to two values"},
    {"bad-initializer-name",
     [](auto &m) {
       auto &tensor = *m.mutable_graph()->add_initializer();
       tensor.set_data_type(onnx::TensorProto::FLOAT);
       tensor.add_float_data(1);
     },
     "an initializer has no name"},
};

TEST(BadOnnx, IsRefusedInWords) {
  for (const Bad &bad : table) {
    onnx::ModelProto proto = relu_model();
    bad.spoil(proto);
    EXPECT_THAT(message_of(test::parse(proto)), HasSubstr(bad.message)) << bad.what;
  }
}

TEST(BadOnnx, NodesMayStandInAnyOrder) {
  onnx::ModelProto proto = relu_model();
  proto.mutable_graph()->mutable_node(0)->set_input(0, "b");
  add_node(*proto.mutable_graph(), "Abs", {"x"}, {"b"}, "abs");
  const auto model = test::parse(proto);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->graph.node(model->graph.nodes().front()).op, "Abs");
  const auto bytes = serialize_onnx(*model, {});
  ASSERT_TRUE(bytes) << bytes.error().message;
}

TEST(BadOnnx, FieldsOfTheFutureAreNoHindrance) {
  std::string bytes = relu_model().SerializeAsString();
  bytes += std::string("\xfa\x3e\x03new", 6) +
           std::string("\xf0\x3e\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12); // 1007: text, 1006: -1 in ten bytes
  const auto model = parse_onnx(test::storage_of(bytes), "");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->graph.node_count(), 1U);
}

struct Other {
  std::string_view bytes;
  const char *message;
};

TEST(BadOnnx, OtherKindsOfFilesAreRecognised) {
  using namespace std::string_view_literals;
  const Other others[] = {
      {"", "the file is empty"},
      {"<!DOCTYPE html><html>", "an HTML page"},
      {"\n  <HTML><head>", "an HTML page"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a Git LFS pointer"},
      {"PK\x03\x04whatever", "a zip archive"},
      {"\x20\0\0\0TFL3\0\0\0\0"sv, "a TensorFlow Lite model"},
      {"\x80\x02}q\0."sv, "a Python pickle"},
      {"\x1f\x8b\x08\0"sv, "a gzip archive"},
      {"\x89HDF\r\n\x1a\n", "an HDF5 file"},
      {"name,value\n1,2\n", "a text file"},
      {"\xff\xd8\xff\xe0whatever", "a JPEG image"},
      {"\x89PNG\r\n\x1a\n", "a PNG image"},
      {"GIF89a", "a GIF image"},
      {"%PDF-1.7\n", "a PDF document"},
      {"\x93NUMPY\x01", "a numpy array"},
      {" {\"a\": 1}", "a JSON file"},
      {"\x08\x08\x12\xff\x01short"sv, "it is truncated: a part of 255 bytes is announced and 5 are left"},
      {"\x08", "it breaks off within a number"},
      {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
       "breaks off within a number"},       // a varint of twelve bytes
      {"\x0f", "cannot be parsed as ONNX"}, // a wire type that there is not
      {"\x3a\xff\xff\xff\xff\x0f", "it is truncated: a part of 4294967295 bytes is announced"},
      {"\x0a\x03\x61\x62\x63", "it has no graph"}, // a protobuf of another kind
  };
  for (const Other &other : others)
    EXPECT_THAT(message_of(parse_onnx(test::storage_of(other.bytes), "")), HasSubstr(other.message)) << other.bytes;
}

TEST(BadOnnx, WhatIsNoFileIsRefused) {
  const auto folder = std::filesystem::path(testing::TempDir());
  EXPECT_THAT(message_of(read_onnx(folder / "no such file")), HasSubstr("no such file: cannot open"));
  EXPECT_THAT(message_of(read_onnx(folder)), HasSubstr("is a folder"));
  std::ofstream(folder / "page.onnx") << "<html></html>";
  EXPECT_THAT(message_of(read_onnx(folder / "page.onnx")), HasSubstr("page.onnx: it is an HTML page"));
}

TEST(BadOnnx, TruncationAnywhereIsNoCrash) {
  onnx::ModelProto proto = relu_model();
  auto &tensor = *proto.mutable_graph()->add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  tensor.add_dims(3);
  for (const float v : {1.F, 2.F, 3.F}) tensor.add_float_data(v);
  auto &node = add_node(*proto.mutable_graph(), "If", {"x"}, {"z"});
  nest(*add_attribute(node, "then_branch", onnx::AttributeProto::GRAPH).mutable_g(), 2);
  const std::string bytes = proto.SerializeAsString();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_onnx(test::storage_of(std::string_view(bytes).substr(0, size)), "")) << size;
}

TEST(BadOnnx, WrongWireTypesAreNoCrash) {
  const std::string bytes = relu_model().SerializeAsString();
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (int wire = 0; wire < 8; ++wire) {
      std::string spoilt = bytes;
      spoilt[at] = static_cast<char>((spoilt[at] & ~7) | wire);
      const auto model = parse_onnx(test::storage_of(spoilt), "");
      EXPECT_TRUE(model || !model.error().message.empty());
    }
}

} // namespace
} // namespace edgec
