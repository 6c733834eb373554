#include "formats/onnx/element_types.h"

#include <onnx/defs/data_type_utils.h>
#include <onnx/defs/schema.h>

#include <algorithm>

#include "formats/onnx/proto.h"

namespace edgec {
namespace {

std::vector<bool> allowed(std::size_t count, const std::vector<onnx::OpSchema::FormalParameter> &formals,
                          onnx::DataType wanted) {
  std::vector<bool> found(count, false);
  for (std::size_t i = 0; i < count && !formals.empty(); ++i)
    found[i] = formals[std::min(i, formals.size() - 1)].GetTypes().contains(wanted);
  return found;
}

bool is_float32(const onnx::AttributeProto &value) {
  return value.has_f() || value.floats_size() > 0 ||
         (value.has_t() && value.t().data_type() == onnx::TensorProto::FLOAT);
}

/// Whether the operator is defined as others, among them float32 constants that nothing casts:
/// MeanVarianceNormalization names float16 among its types, and ONNX's own checker refuses it.
bool is_float32_inside(const onnx::OpSchema &schema, std::int64_t opset) {
  const auto *body = schema.GetFunction(static_cast<int>(opset));
  if (body == nullptr) return false;
  const auto casts = [](const auto &node) { return node.op_type() == "CastLike" || node.op_type() == "Cast"; };
  const auto is_constant = [](const auto &node) {
    return node.op_type() == "Constant" && std::ranges::any_of(node.attribute(), is_float32);
  };
  return std::ranges::any_of(body->node(), is_constant) && std::ranges::none_of(body->node(), casts);
}

} // namespace

std::optional<PossibleElements> may_hold(const Node &node, std::int64_t opset, DType dtype) {
  const auto *schema = onnx::OpSchemaRegistry::Schema(node.op, static_cast<int>(opset), node.domain);
  if (schema == nullptr || schema->Deprecated()) return std::nullopt;
  if (dtype != DType::float32 && is_float32_inside(*schema, opset))
    return PossibleElements{std::vector<bool>(node.inputs.size()), std::vector<bool>(node.outputs.size())};
  onnx::TypeProto proto;
  proto.mutable_tensor_type()->set_elem_type(static_cast<int>(dtype));
  const onnx::DataType wanted = onnx::Utils::DataTypeUtils::ToType(proto);
  return PossibleElements{allowed(node.inputs.size(), schema->inputs(), wanted),
                          allowed(node.outputs.size(), schema->outputs(), wanted)};
}

} // namespace edgec
