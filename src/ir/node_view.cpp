#include "ir/node_view.h"

namespace edgec {

std::vector<const Type *> types_of(const Graph &graph, std::span<const ValueId> ids) {
  std::vector<const Type *> types;
  types.reserve(ids.size());
  for (const ValueId id : ids) types.push_back(type_of(graph, id));
  return types;
}

NodeView::NodeView(const Graph &graph, const Node &of)
    : node(of), opset(graph.opset(of.domain)), inputs(types_of(graph, of.inputs)),
      outputs(types_of(graph, of.outputs)) {
  for (const ValueId id : of.inputs) constants.push_back(graph.constant(id));
}

std::optional<WeightInfo> weights_of(const Graph &graph, const Node &node, const OpRegistry &ops) {
  const OpDef *op = ops.find(node);
  return op && op->weights ? op->weights(node, types_of(graph, node.inputs)) : std::nullopt;
}

Cost cost_of(const Graph &graph, const Node &node, const OpRegistry &ops) {
  const OpDef *op = ops.find(node);
  return op && op->cost ? op->cost(node, types_of(graph, node.inputs), types_of(graph, node.outputs)) : Cost{};
}

} // namespace edgec
