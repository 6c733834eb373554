// Evaluates one operator on tensors by its definition: for tests.
#pragma once

#include <gtest/gtest.h>

#include "ops/registry.h"

namespace edgec::test {

struct Operand {
  Tensor tensor;
  std::optional<Quant> quant;

  [[nodiscard]] Type type() const {
    Type type = Type::of(tensor);
    type.quant = quant;
    return type;
  }
};

inline Node node_of(std::string op, std::vector<Attribute> attributes) {
  Node node{.op = std::move(op), .attributes = std::move(attributes)};
  node.outputs.resize(1);
  return node;
}

/// The first output's dims by infer, and its tensor by reference; `output` is its dtype and quantization.
inline Result<Tensor> evaluate(const Node &node, const std::vector<Operand> &operands,
                               Type output = Type::tensor(DType::float32)) {
  const OpDef *op = all_ops().find(node);
  if (!op) return internal_error("no operator " + node.op);
  std::vector<Type> types;
  std::vector<const Tensor *> tensors;
  std::vector<const Type *> type_pointers;
  std::vector<RuntimeValue> values;
  for (const Operand &operand : operands) types.push_back(operand.type());
  for (std::size_t i = 0; i < operands.size(); ++i) {
    tensors.push_back(&operands[i].tensor);
    type_pointers.push_back(&types[i]);
    values.emplace_back(operands[i].tensor);
  }
  EDGEC_ASSIGN(const auto inferred, op->infer({node, 17, type_pointers, tensors}));
  output.shape = inferred[0].shape;
  const Type *const outputs[] = {&output};
  EDGEC_ASSIGN(auto results, op->reference({.node = node,
                                            .opset = 17,
                                            .inputs = tensors,
                                            .input_types = type_pointers,
                                            .output_types = outputs,
                                            .values = values}));
  Tensor result = *results[0].tensor;
  EXPECT_EQ(Type::of(result).shape, inferred[0].shape) << "infer and reference disagree";
  return result;
}

} // namespace edgec::test
