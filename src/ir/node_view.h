// A node beside what its graph knows of its operands: what the functions of an OpDef ask for.
#pragma once

#include "ir/opdef.h"

namespace edgec {

// Pointers into the graph, here and below, are valid until it is edited.

/// The type of a value; null where it is none.
inline const Type *type_of(const Graph &graph, ValueId id) { return id.valid() ? &graph.value(id).type : nullptr; }
std::vector<const Type *> types_of(const Graph &graph, std::span<const ValueId> ids);

struct NodeView {
  NodeView(const Graph &graph, const Node &node);

  const Node &node;
  std::int64_t opset;                        ///< of the node's domain
  std::vector<const Type *> inputs, outputs; ///< null: omitted
  std::vector<const Tensor *> constants;     ///< the inputs' data; null: not known before the network runs

  [[nodiscard]] InferArgs infer_args() const { return {node, opset, inputs, constants}; }
  [[nodiscard]] AxisArgs axis_args() const { return {infer_args(), outputs}; }
};

/// Which operands of a node are its weights; nothing where it has none, or nobody knows the operator.
std::optional<WeightInfo> weights_of(const Graph &graph, const Node &node, const OpRegistry &ops);

/// What a node costs with the shapes that its graph knows; 0 where its operator does not say.
Cost cost_of(const Graph &graph, const Node &node, const OpRegistry &ops);

} // namespace edgec
