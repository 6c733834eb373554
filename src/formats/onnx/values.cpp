// Single values as ONNX's test data stores them.
#include <onnx/onnx-data.pb.h>

#include <fmt/format.h>

#include "formats/onnx/proto.h"
#include "formats/onnx/tensor_proto.h"
#include "support/file.h"

namespace edgec {
namespace {

template <class Message>
Status parse_file(const std::filesystem::path &path, Message &message) {
  EDGEC_ASSIGN(const Storage bytes, read_file(path));
  if (bytes.size() == 0) return {}; // a message without fields, such as an empty sequence
  return proto::parse_message(bytes.bytes(), message);
}

Result<RuntimeValue> take_sequence(onnx::SequenceProto &proto);

Result<RuntimeValue> take_optional(onnx::OptionalProto &proto) {
  if (proto.has_tensor_value()) {
    EDGEC_ASSIGN(Tensor tensor, proto::take_tensor(*proto.mutable_tensor_value(), nullptr));
    return RuntimeValue(std::move(tensor));
  }
  if (proto.has_sequence_value()) return take_sequence(*proto.mutable_sequence_value());
  if (proto.has_optional_value()) return take_optional(*proto.mutable_optional_value());
  if (proto.has_map_value() || proto.has_sparse_tensor_value()) return unsupported("a map or sparse tensor");
  return RuntimeValue();
}

Result<RuntimeValue> take_sequence(onnx::SequenceProto &proto) {
  std::vector<RuntimeValue> values;
  for (auto &stored : *proto.mutable_tensor_values()) {
    EDGEC_ASSIGN(Tensor tensor, proto::take_tensor(stored, nullptr));
    values.emplace_back(std::move(tensor));
  }
  for (auto &stored : *proto.mutable_sequence_values()) {
    EDGEC_ASSIGN(RuntimeValue value, take_sequence(stored));
    values.push_back(std::move(value));
  }
  for (auto &stored : *proto.mutable_optional_values()) {
    EDGEC_ASSIGN(RuntimeValue value, take_optional(stored));
    values.push_back(std::move(value));
  }
  if (proto.map_values_size() + proto.sparse_tensor_values_size() > 0)
    return unsupported("a sequence of maps or sparse tensors");
  RuntimeValue value;
  value.sequence = std::make_shared<const std::vector<RuntimeValue>>(std::move(values));
  return value;
}

Result<Tensor> read_tensor(const std::filesystem::path &path) {
  onnx::TensorProto proto;
  EDGEC_CHECK(parse_file(path, proto));
  return proto::take_tensor(proto, nullptr);
}

Result<RuntimeValue> read_value(const std::filesystem::path &path, const Type &type) {
  if (type.kind == Type::Kind::sequence) {
    onnx::SequenceProto proto;
    EDGEC_CHECK(parse_file(path, proto));
    return take_sequence(proto);
  }
  if (type.kind == Type::Kind::optional) {
    onnx::OptionalProto proto;
    EDGEC_CHECK(parse_file(path, proto));
    return take_optional(proto);
  }
  if (!type.is_tensor()) return unsupported(fmt::format("a value of type {}", to_string(type)));
  EDGEC_ASSIGN(Tensor tensor, read_tensor(path));
  return RuntimeValue(std::move(tensor));
}

} // namespace

Result<Tensor> read_tensor_proto(const std::filesystem::path &path) { return read_tensor(path).in(path.string()); }

Result<RuntimeValue> read_value_proto(const std::filesystem::path &path, const Type &type) {
  return read_value(path, type).in(path.string());
}

} // namespace edgec
