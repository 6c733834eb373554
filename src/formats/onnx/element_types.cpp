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

} // namespace

std::optional<PossibleElements> may_hold(const Node &node, std::int64_t opset, DType dtype) {
  const auto *schema = onnx::OpSchemaRegistry::Schema(node.op, static_cast<int>(opset), node.domain);
  if (schema == nullptr || schema->Deprecated()) return std::nullopt;
  onnx::TypeProto proto;
  proto.mutable_tensor_type()->set_elem_type(static_cast<int>(dtype));
  const onnx::DataType wanted = onnx::Utils::DataTypeUtils::ToType(proto);
  return PossibleElements{allowed(node.inputs.size(), schema->inputs(), wanted),
                          allowed(node.outputs.size(), schema->outputs(), wanted)};
}

} // namespace edgec
