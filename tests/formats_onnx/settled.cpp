// What is written where names repeat, and where ONNX's checker and the operators do not agree.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <onnx/shape_inference/implementation.h>

#include <algorithm>

#include "ir/text.h"
#include "ops/registry.h"
#include "tests/formats_onnx/protos.h"

namespace edgec {
namespace {

using testing::ElementsAre;

/// Read without what the checker had against the file, as from another format; types inferred; written.
onnx::ModelProto written(const onnx::ModelProto &proto, std::vector<std::string> *warnings = nullptr) {
  auto model = test::parse(proto);
  if (!model) throw std::runtime_error(model.error().message);
  model->source_failure.clear();
  if (const Status typed = infer_types(model->graph, all_ops()); !typed)
    throw std::runtime_error(typed.error().message);
  const auto bytes = serialize_onnx(*model, {}, warnings);
  if (!bytes) throw std::runtime_error(bytes.error().message);
  onnx::ModelProto result;
  EXPECT_TRUE(result.ParseFromString(*bytes));
  return result;
}

onnx::ModelProto written(std::string_view text, std::vector<std::string> *warnings = nullptr) {
  auto model = parse_model(text);
  if (!model) throw std::runtime_error(model.error().message);
  if (const Status typed = infer_types(model->graph, all_ops()); !typed)
    throw std::runtime_error(typed.error().message);
  const auto bytes = serialize_onnx(*model, {}, warnings);
  if (!bytes) throw std::runtime_error(bytes.error().message);
  onnx::ModelProto result;
  EXPECT_TRUE(result.ParseFromString(*bytes));
  return result;
}

std::vector<std::string> names(const onnx::GraphProto &graph) {
  std::vector<std::string> found;
  for (const auto &node : graph.node()) found.push_back(node.name());
  return found;
}

std::vector<std::int64_t> dims(const onnx::ValueInfoProto &info) {
  std::vector<std::int64_t> found;
  for (const auto &dim : info.type().tensor_type().shape().dim())
    found.push_back(dim.has_dim_value() ? dim.dim_value() : -1);
  return found;
}

TEST(WrittenOnnx, NodesOfEqualNamesGetTheirOwn) {
  onnx::ModelProto proto = test::relu_model();
  auto &graph = *proto.mutable_graph();
  test::add_node(graph, "Neg", {"y"}, {"a"}, "relu");
  test::add_node(graph, "Abs", {"a"}, {"b"}, "relu_1");
  test::add_node(graph, "Abs", {"b"}, {"c"}, "relu");
  test::add_node(graph, "Abs", {"c"}, {"d"});
  test::add_node(graph, "Abs", {"d"}, {"e"});
  EXPECT_THAT(names(written(proto).graph()), ElementsAre("relu", "relu_2", "relu_1", "relu_3", "", ""));
}

TEST(WrittenOnnx, NodesInSubGraphsAreNamedApartToo) {
  const auto proto = written("<ir_version: 8, opset_import: [\"\": 13]> g (bool c, float[2] x) => (float[2] y) {"
                             "  [n] y = If(c) <then_branch = t () => (float[2] p) { [n] p = Relu(x) },"
                             "                 else_branch = e () => (float[2] q) { [n] q = Abs(x) }> }");
  const auto &node = proto.graph().node(0);
  EXPECT_EQ(node.name(), "n");
  EXPECT_THAT(names(node.attribute(0).g()), ElementsAre("n_1"));
  EXPECT_THAT(names(node.attribute(1).g()), ElementsAre("n_2"));
}

TEST(WrittenOnnx, DimsThatOnnxInfersOtherwiseAreLeftOut) {
  std::vector<std::string> warnings;
  // With auto_pad an output is as large as its input times the stride; ONNX's inference adds output_padding.
  const auto disputed = written("<ir_version: 8, opset_import: [\"\": 13]> g (float[1,1,5] x) => (float[?,?,?] y)"
                                "<float[1,1,3] w = {1, 2, 3}> { y = ConvTranspose<auto_pad = \"SAME_UPPER\","
                                " strides = [2], output_padding = [1]>(x, w) }",
                                &warnings);
  const auto kept = written("<ir_version: 8, opset_import: [\"\": 13]> g (float[1,2,5,5] x) => (float[?,?,?,?] y)"
                            "{ y = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(x) }",
                            &warnings);
  EXPECT_THAT(dims(disputed.graph().output(0)), ElementsAre(1, 1, -1));
  EXPECT_THAT(dims(kept.graph().output(0)), ElementsAre(1, 2, 2, 2));
  EXPECT_THAT(warnings, testing::IsEmpty());
}

/// What ONNX's inference finds for the outputs of a model.
std::vector<std::int64_t> inferred(onnx::ModelProto model) {
  model.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->clear_shape();
  onnx::shape_inference::InferShapes(model);
  return dims(model.graph().output(0));
}

TEST(WrittenOnnx, OnnxCountsTheWindowsOfAPoolThatThereAre) {
  std::size_t hanging = 0, floored = 0;
  for (const char *op : {"MaxPool", "AveragePool"})
    for (int size = 3; size < 8; ++size)
      for (int kernel = 1; kernel < 4; ++kernel)
        for (int stride = 1; stride < 5; ++stride)
          for (int pad = 0; pad < kernel; ++pad) {
            const std::string windows =
                fmt::format("{}<kernel_shape = [{}], strides = [{}], pads = [{}, {}], ceil_mode = 1>(x)", op, kernel,
                            stride, pad, pad);
            std::vector<std::string> warnings;
            const auto model = written(fmt::format("<ir_version: 8, opset_import: [\"\": 13]> g (float[1,2,{}] x) => "
                                                   "(float[?,?,?] y) {{ y = {} }}",
                                                   size, windows),
                                       &warnings);
            SCOPED_TRACE(fmt::format("{} of {}", windows, size));
            EXPECT_EQ(dims(model.graph().output(0)), inferred(model));
            EXPECT_THAT(dims(model.graph().output(0)), testing::Each(testing::Gt(0)));
            EXPECT_THAT(warnings, testing::IsEmpty());
            const auto &attributes = model.graph().node(0).attribute();
            (std::ranges::any_of(attributes, [](const auto &a) { return a.name() == "ceil_mode"; }) ? hanging
                                                                                                    : floored)++;
          }
  EXPECT_GT(hanging, 50U);
  EXPECT_GT(floored, 50U);
}

TEST(WrittenOnnx, ABranchGivesTheDimsThatOnnxInfersForThePoolBeforeIt) {
  const auto model =
      written("<ir_version: 8, opset_import: [\"\": 13]> g (bool c, float[1,2,5,5] x) => (float[1,2,2,2] y) {"
              "  p = MaxPool<kernel_shape = [1, 1], strides = [3, 3], ceil_mode = 1>(x)"
              "  y = If(c) <then_branch = t () => (float[1,2,2,2] a) { a = Relu(p) },"
              "             else_branch = e () => (float[1,2,2,2] b) {"
              "               b = AveragePool<kernel_shape = [1, 1], strides = [3, 3], ceil_mode = 1>(x) }> }");
  EXPECT_THAT(inferred(model), ElementsAre(1, 2, 2, 2));
}

TEST(WrittenOnnx, AnOutputWhoseShapeNobodyKnowsIsNoFailure) {
  const auto model = [](const char *op) {
    onnx::ModelProto proto = test::relu_model();
    test::add_node(*proto.mutable_graph(), op, {"y"}, {"z"});
    auto &info = *proto.mutable_graph()->add_output();
    info.set_name("z");
    info.mutable_type()->mutable_tensor_type()->set_elem_type(op == std::string("NonZero") ? onnx::TensorProto::INT64
                                                                                           : onnx::TensorProto::FLOAT);
    return proto;
  };
  std::vector<std::string> warnings;
  const auto known = written(model("Abs"), &warnings);
  EXPECT_THAT(dims(known.graph().output(1)), ElementsAre(2));
  EXPECT_THAT(warnings, testing::IsEmpty());
  onnx::ModelProto open = model("Squeeze");
  open.mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_param("N");
  open.mutable_graph()
      ->mutable_output(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_param("N");
  const auto result = written(open, &warnings);
  EXPECT_FALSE(result.graph().output(1).type().tensor_type().has_shape());
  EXPECT_EQ(result.graph().output(1).name(), "z");
  EXPECT_THAT(warnings, ElementsAre(testing::HasSubstr("output z has no shape")));
}

} // namespace
} // namespace edgec
