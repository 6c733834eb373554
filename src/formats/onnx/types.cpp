// TypeProto, attributes and metadata to and from the IR.
#include <algorithm>
#include <fmt/format.h>

#include "formats/onnx/proto.h"

namespace edgec::proto {
namespace {

Shape read_shape(const onnx::TensorShapeProto &proto) {
  Shape shape;
  for (const auto &dim : proto.dim()) {
    if (dim.has_dim_value() && dim.dim_value() >= 0)
      shape.push_back(Dim::known(dim.dim_value()));
    else if (dim.has_dim_param() && !dim.dim_param().empty())
      shape.push_back(Dim::named(dim.dim_param()));
    else
      shape.push_back(Dim::unknown());
  }
  return shape;
}

void put_shape(const Shape &shape, onnx::TensorShapeProto &proto) {
  for (const Dim &dim : shape) {
    auto &made = *proto.add_dim();
    if (dim.is_known())
      made.set_dim_value(dim.size);
    else if (!dim.symbol.empty())
      made.set_dim_param(dim.symbol);
  }
}

Result<DType> element_type(int number) {
  if (number >= 0 && number < dtype_count) return static_cast<DType>(number);
  return unsupported(fmt::format("element type {} is not known", number));
}

template <class Proto>
Result<Type> tensor_type(const Proto &proto, Type::Kind kind) {
  EDGEC_ASSIGN(const DType dtype, element_type(proto.elem_type()));
  Type type = Type::tensor(dtype);
  type.kind = kind;
  if (proto.has_shape()) type.shape = read_shape(proto.shape());
  return type;
}

Result<Type> nested_type(Type::Kind kind, const onnx::TypeProto &element) {
  EDGEC_ASSIGN(Type inner, read_type(element));
  Type type;
  type.kind = kind;
  type.element = std::make_shared<const Type>(std::move(inner));
  return type;
}

Type unknown_type() {
  Type type;
  type.kind = Type::Kind::unknown;
  return type;
}

} // namespace

Result<Type> read_type(const onnx::TypeProto &proto) {
  switch (proto.value_case()) {
  case onnx::TypeProto::kTensorType: return tensor_type(proto.tensor_type(), Type::Kind::tensor);
  case onnx::TypeProto::kSparseTensorType: return tensor_type(proto.sparse_tensor_type(), Type::Kind::sparse_tensor);
  case onnx::TypeProto::kSequenceType: return nested_type(Type::Kind::sequence, proto.sequence_type().elem_type());
  case onnx::TypeProto::kOptionalType: return nested_type(Type::Kind::optional, proto.optional_type().elem_type());
  case onnx::TypeProto::kMapType: {
    EDGEC_ASSIGN(Type map, nested_type(Type::Kind::map, proto.map_type().value_type()));
    EDGEC_ASSIGN(map.dtype, element_type(proto.map_type().key_type()));
    return map;
  }
  case onnx::TypeProto::kOpaqueType: return unsupported("an opaque type");
  case onnx::TypeProto::VALUE_NOT_SET: break;
  }
  return unknown_type();
}

void put_type(const Type &type, onnx::TypeProto &proto) {
  const auto put_tensor_type = [&](auto &tensor) {
    tensor.set_elem_type(static_cast<int>(type.dtype));
    if (type.shape) put_shape(*type.shape, *tensor.mutable_shape());
  };
  switch (type.kind) {
  case Type::Kind::tensor: put_tensor_type(*proto.mutable_tensor_type()); break;
  case Type::Kind::sparse_tensor: put_tensor_type(*proto.mutable_sparse_tensor_type()); break;
  case Type::Kind::sequence: put_type(*type.element, *proto.mutable_sequence_type()->mutable_elem_type()); break;
  case Type::Kind::optional: put_type(*type.element, *proto.mutable_optional_type()->mutable_elem_type()); break;
  case Type::Kind::map:
    proto.mutable_map_type()->set_key_type(static_cast<int>(type.dtype));
    put_type(*type.element, *proto.mutable_map_type()->mutable_value_type());
    break;
  case Type::Kind::unknown: break;
  }
}

bool has_denotation(const onnx::TypeProto &proto) {
  const auto &dims = proto.tensor_type().shape().dim();
  return !proto.denotation().empty() ||
         std::ranges::any_of(dims, [](const auto &dim) { return !dim.denotation().empty(); });
}

void copy_denotation(const onnx::TypeProto &from, onnx::TypeProto &to) {
  if (!from.denotation().empty()) to.set_denotation(from.denotation());
  if (!to.has_tensor_type() || !to.tensor_type().has_shape()) return;
  const auto &source = from.tensor_type().shape();
  auto &shape = *to.mutable_tensor_type()->mutable_shape();
  for (int i = 0; i < source.dim_size() && source.dim_size() == shape.dim_size(); ++i)
    if (!source.dim(i).denotation().empty()) shape.mutable_dim(i)->set_denotation(source.dim(i).denotation());
}

onnx::AttributeProto::AttributeType attribute_type(const onnx::AttributeProto &attribute) {
  using A = onnx::AttributeProto;
  if (attribute.type() != A::UNDEFINED) return attribute.type();
  if (attribute.has_f()) return A::FLOAT;
  if (attribute.has_i()) return A::INT;
  if (attribute.has_s()) return A::STRING;
  if (attribute.has_t()) return A::TENSOR;
  if (attribute.has_g()) return A::GRAPH;
  if (attribute.floats_size() > 0) return A::FLOATS;
  if (attribute.ints_size() > 0) return A::INTS;
  if (attribute.strings_size() > 0) return A::STRINGS;
  if (attribute.tensors_size() > 0) return A::TENSORS;
  if (attribute.graphs_size() > 0) return A::GRAPHS;
  return A::UNDEFINED;
}

Result<AttributeValue> read_attribute(onnx::AttributeProto &attribute, ExternalData *external) {
  using A = onnx::AttributeProto;
  switch (attribute_type(attribute)) {
  case A::FLOAT: return AttributeValue(attribute.f());
  case A::INT: return AttributeValue(std::int64_t{attribute.i()});
  case A::STRING: return AttributeValue(std::move(*attribute.mutable_s()));
  case A::FLOATS: return AttributeValue(std::vector<float>(attribute.floats().begin(), attribute.floats().end()));
  case A::INTS: return AttributeValue(std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end()));
  case A::STRINGS:
    return AttributeValue(std::vector<std::string>(attribute.strings().begin(), attribute.strings().end()));
  case A::TENSOR: {
    EDGEC_ASSIGN(Tensor tensor, take_tensor(*attribute.mutable_t(), external));
    return AttributeValue(std::move(tensor));
  }
  case A::TENSORS: {
    std::vector<Tensor> tensors;
    for (auto &stored : *attribute.mutable_tensors()) {
      EDGEC_ASSIGN(Tensor tensor, take_tensor(stored, external));
      tensors.push_back(std::move(tensor));
    }
    return AttributeValue(std::move(tensors));
  }
  case A::TYPE_PROTO: {
    EDGEC_ASSIGN(Type type, read_type(attribute.tp()));
    return AttributeValue(std::move(type));
  }
  case A::TYPE_PROTOS: {
    std::vector<Type> types;
    for (const auto &stored : attribute.type_protos()) {
      EDGEC_ASSIGN(Type type, read_type(stored));
      types.push_back(std::move(type));
    }
    return AttributeValue(std::move(types));
  }
  case A::SPARSE_TENSOR:
  case A::SPARSE_TENSORS: return AttributeValue(OpaqueAttribute{attribute.SerializeAsString()});
  default: return bad_input("has no value of a known kind");
  }
}

namespace {

struct Put {
  onnx::AttributeProto &proto;
  using A = onnx::AttributeProto;
  bool kind(A::AttributeType type) const {
    proto.set_type(type);
    return true;
  }
  bool operator()(std::int64_t value) const { return proto.set_i(value), kind(A::INT); }
  bool operator()(float value) const { return proto.set_f(value), kind(A::FLOAT); }
  bool operator()(const std::string &value) const { return proto.set_s(value), kind(A::STRING); }
  bool operator()(const Tensor &value) const { return put_tensor(value, *proto.mutable_t()), kind(A::TENSOR); }
  bool operator()(const Type &value) const { return put_type(value, *proto.mutable_tp()), kind(A::TYPE_PROTO); }
  bool operator()(const std::vector<std::int64_t> &values) const {
    return proto.mutable_ints()->Add(values.begin(), values.end()), kind(A::INTS);
  }
  bool operator()(const std::vector<float> &values) const {
    return proto.mutable_floats()->Add(values.begin(), values.end()), kind(A::FLOATS);
  }
  bool operator()(const std::vector<std::string> &values) const {
    return proto.mutable_strings()->Add(values.begin(), values.end()), kind(A::STRINGS);
  }
  bool operator()(const std::vector<Tensor> &values) const {
    for (const Tensor &value : values) put_tensor(value, *proto.add_tensors());
    return kind(A::TENSORS);
  }
  bool operator()(const std::vector<Type> &values) const {
    for (const Type &value : values) put_type(value, *proto.add_type_protos());
    return kind(A::TYPE_PROTOS);
  }
  bool operator()(const OpaqueAttribute &value) const { return proto.ParseFromString(value.bytes); }
  bool operator()(const SubGraph &) const { return false; }
  bool operator()(const std::vector<SubGraph> &) const { return false; }
};

} // namespace

bool put_attribute(const Attribute &attribute, onnx::AttributeProto &proto) {
  const bool done = std::visit(Put{proto}, attribute.value);
  proto.set_name(attribute.name);
  return done;
}

} // namespace edgec::proto
