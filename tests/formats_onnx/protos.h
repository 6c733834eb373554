// Small protobuf models, and what the reader says of them.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>

#include "formats/onnx/onnx.h"

namespace edgec::test {

inline Storage storage_of(std::string_view bytes) { return Storage::copy(std::as_bytes(std::span(bytes))); }

inline Result<Model> parse(const onnx::ModelProto &proto, const OnnxReadOptions &options = {},
                           const std::filesystem::path &folder = "/nonexistent") {
  return parse_onnx(storage_of(proto.SerializeAsString()), folder, options);
}

inline std::string message_of(const Result<Model> &model) { return model ? "accepted" : model.error().message; }

inline onnx::ValueInfoProto &add_info(google::protobuf::RepeatedPtrField<onnx::ValueInfoProto> *list,
                                      const std::string &name, int dtype = onnx::TensorProto::FLOAT,
                                      std::vector<std::int64_t> dims = {2}) {
  auto &info = *list->Add();
  info.set_name(name);
  info.mutable_type()->mutable_tensor_type()->set_elem_type(dtype);
  auto &shape = *info.mutable_type()->mutable_tensor_type()->mutable_shape();
  for (const auto dim : dims) shape.add_dim()->set_dim_value(dim);
  return info;
}

inline onnx::NodeProto &add_node(onnx::GraphProto &graph, const std::string &op, const std::vector<std::string> &inputs,
                                 const std::vector<std::string> &outputs, const std::string &name = {}) {
  auto &node = *graph.add_node();
  node.set_op_type(op);
  for (const auto &input : inputs) node.add_input(input);
  for (const auto &output : outputs) node.add_output(output);
  if (!name.empty()) node.set_name(name);
  return node;
}

inline onnx::AttributeProto &add_attribute(onnx::NodeProto &node, const std::string &name,
                                           onnx::AttributeProto::AttributeType type) {
  auto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

/// `y = Relu(x)`, to be spoilt.
inline onnx::ModelProto relu_model(std::int64_t opset = 13) {
  onnx::ModelProto proto;
  proto.set_ir_version(8);
  proto.add_opset_import()->set_version(opset);
  auto &graph = *proto.mutable_graph();
  graph.set_name("g");
  add_info(graph.mutable_input(), "x");
  add_info(graph.mutable_output(), "y");
  add_node(graph, "Relu", {"x"}, {"y"}, "relu");
  return proto;
}

/// A graph's only constant; null where it has none.
inline const Tensor *constant_of(const Graph &graph) {
  for (const ValueId id : graph.values())
    if (const Tensor *data = graph.constant(id)) return data;
  return nullptr;
}

/// A model with one initializer.
inline onnx::ModelProto model_of(const onnx::TensorProto &tensor) {
  onnx::ModelProto proto = relu_model(25);
  proto.set_ir_version(13);
  *proto.mutable_graph()->add_initializer() = tensor;
  return proto;
}

} // namespace edgec::test
