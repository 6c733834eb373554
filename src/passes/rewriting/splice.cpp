#include "passes/rewriting/splice.h"

namespace edgec::passes {

std::vector<ValueId> splice(Graph &graph, const Graph &inner, std::span<const ValueId> inputs,
                            std::span<const ValueId> captures, NodeId before) {
  std::vector<ValueId> now(inner.value_bound());
  for (std::size_t i = 0; i < inputs.size(); ++i) now[inner.inputs()[i].index] = inputs[i];
  for (std::size_t i = 0; i < captures.size(); ++i) now[inner.captures()[i].index] = captures[i];
  for (const ValueId id : inner.values()) {
    if (now[id.index].valid()) continue;
    const Value &value = inner.value(id);
    now[id.index] = value.data ? graph.add_constant(*value.data, value.name, value.type.quant)
                               : graph.add_value(value.type, value.name);
    graph.set_metadata(now[id.index], value.metadata, value.doc);
  }
  for (const NodeId id : inner.nodes()) {
    Node node = inner.node(id);
    for (auto *list : {&node.inputs, &node.captures, &node.outputs})
      for (ValueId &value : *list)
        if (value.valid()) value = now[value.index];
    graph.add_node(std::move(node), before);
  }
  std::vector<ValueId> outputs;
  for (const GraphOutput &output : inner.outputs()) outputs.push_back(now[output.value.index]);
  return outputs;
}

} // namespace edgec::passes
