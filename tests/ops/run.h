// Runs one operator on tensors: inference and reference, which must agree.
#pragma once

#include <gmock/gmock.h>

#include "ir/evaluate.h"
#include "ops/registry.h"

namespace edgec::test {

using Attributes = std::vector<Attribute>;

inline Tensor floats(Dims dims, std::vector<float> values) { return Tensor::of(std::move(dims), std::move(values)); }
inline Tensor ints(Dims dims, std::vector<std::int64_t> values) {
  return Tensor::of(std::move(dims), std::move(values));
}
inline Tensor ints(std::vector<std::int64_t> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::of({count}, std::move(values));
}
inline Attribute attr(std::string name, AttributeValue value) { return {std::move(name), std::move(value)}; }

/// A graph of one node on constants (`nullopt`: omitted) with `outputs` outputs of unknown type.
struct OneNode {
  Graph graph;
  NodeId id;

  OneNode(std::string op, std::int64_t opset, Attributes attributes, const std::vector<std::optional<Tensor>> &inputs,
          std::size_t outputs = 1) {
    graph.opsets[""] = opset;
    Node node{.op = std::move(op), .name = "it", .attributes = std::move(attributes)};
    for (const auto &input : inputs) node.inputs.push_back(input ? graph.add_constant(*input) : ValueId{});
    for (std::size_t i = 0; i < outputs; ++i) node.outputs.push_back(graph.add_value({}));
    id = graph.add_node(std::move(node));
  }
};

/// Results of the reference; inferred types are checked against them.
inline Result<std::vector<Tensor>> run(std::string op, std::int64_t opset, Attributes attributes,
                                       const std::vector<std::optional<Tensor>> &inputs, std::size_t outputs = 1) {
  OneNode made(std::move(op), opset, std::move(attributes), inputs, outputs);
  EDGEC_CHECK(infer_types(made.graph, all_ops()));
  const Node &node = made.graph.node(made.id);
  const OpDef *def = all_ops().find(node);
  if (!def) return unsupported("no operator " + node.op);
  std::vector<const Tensor *> operands;
  std::vector<const Type *> types, wanted;
  std::vector<RuntimeValue> values;
  for (const ValueId id : node.inputs) {
    operands.push_back(made.graph.constant(id));
    types.push_back(id.valid() ? &made.graph.value(id).type : nullptr);
    values.emplace_back();
    if (operands.back()) values.back().tensor = *operands.back();
  }
  for (const ValueId id : node.outputs) wanted.push_back(&made.graph.value(id).type);
  EDGEC_ASSIGN(auto results, evaluate(*def, {.node = node,
                                             .opset = opset,
                                             .inputs = operands,
                                             .input_types = types,
                                             .output_types = wanted,
                                             .values = values}));
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < outputs; ++i) {
    if (i >= results.size() || !results[i].tensor) return internal_error("an output is missing");
    tensors.push_back(*results[i].tensor);
    const Type &inferred = *wanted[i];
    EXPECT_TRUE(inferred.dtype == DType::undefined || inferred.dtype == tensors[i].dtype) << to_string(inferred);
    const auto dims = inferred.concrete();
    if (dims) {
      EXPECT_EQ(*dims, tensors[i].dims) << to_string(inferred);
    }
  }
  return tensors;
}

/// What run() gives as "[dims] values", or the error's message.
inline std::string show(const Tensor &tensor) {
  std::string text = "[";
  for (std::size_t i = 0; i < tensor.dims.size(); ++i) text += (i ? "," : "") + std::to_string(tensor.dims[i]);
  text += "]";
  char number[32];
  for (const double value : to_doubles(tensor)) {
    std::snprintf(number, sizeof number, " %.6g", value == 0 ? 0.0 : value);
    text += number;
  }
  return text;
}

inline std::string show(const Result<std::vector<Tensor>> &results) {
  if (!results) return results.error().message;
  std::string text;
  for (const Tensor &tensor : *results) text += (text.empty() ? "" : " | ") + show(tensor);
  return text;
}

/// One line of a table of cases.
struct Case {
  std::string op;
  std::int64_t opset;
  Attributes attributes;
  std::vector<std::optional<Tensor>> inputs;
  std::string expected;
  std::size_t outputs = 1;
};

inline void check(const std::vector<Case> &cases) {
  for (const Case &c : cases)
    EXPECT_EQ(show(run(c.op, c.opset, c.attributes, c.inputs, c.outputs)), c.expected) << c.op << "-" << c.opset;
}

} // namespace edgec::test
