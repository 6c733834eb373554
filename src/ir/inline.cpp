#include "ir/inline.h"

#include <cassert>
#include <unordered_map>

namespace edgec {
namespace {

std::vector<ValueId> present(const std::vector<ValueId> &ids) {
  std::vector<ValueId> found;
  for (const ValueId id : ids)
    if (id.valid()) found.push_back(id);
  return found;
}

} // namespace

void inline_graph(Graph &graph, NodeId node, const Graph &body) {
  const Node replaced = graph.node(node);
  std::unordered_map<std::uint32_t, ValueId> values;
  const auto stand_for = [&](const std::vector<ValueId> &inner, const std::vector<ValueId> &outer) {
    assert(inner.size() == outer.size());
    for (std::size_t i = 0; i < inner.size(); ++i) values[inner[i].index] = outer[i];
  };
  stand_for(body.inputs(), present(replaced.inputs));
  stand_for(body.captures(), replaced.captures);

  std::vector<Node> identities; // of outputs that no node of the body makes, or that stand there twice
  std::size_t next = 0;
  for (std::size_t i = 0; i < replaced.outputs.size(); ++i) {
    const ValueId outer = replaced.outputs[i];
    if (!outer.valid()) continue;
    assert(next < body.outputs().size());
    const ValueId inner = body.outputs()[next++].value;
    graph.detach_output(node, i, graph.value(outer).type);
    if (body.producer(inner) && values.emplace(inner.index, outer).second) continue;
    Node identity;
    identity.op = "Identity";
    identity.inputs = {inner}; // of the body, as yet
    identity.outputs = {outer};
    identities.push_back(std::move(identity));
  }

  const auto value = [&](ValueId id) -> ValueId {
    if (!id.valid()) return {};
    const auto [found, fresh] = values.try_emplace(id.index);
    if (!fresh) return found->second;
    const Value &inner = body.value(id);
    return found->second = inner.data ? graph.add_constant(*inner.data, inner.name, inner.type.quant)
                                      : graph.add_value(inner.type, inner.name);
  };
  for (const NodeId id : body.nodes()) {
    Node copy = body.node(id);
    for (auto *list : {&copy.inputs, &copy.captures, &copy.outputs})
      for (ValueId &operand : *list) operand = value(operand);
    copy.origins = replaced.origins;
    graph.add_node(std::move(copy), node);
  }
  for (Node &identity : identities) {
    identity.inputs[0] = value(identity.inputs[0]);
    identity.origins = replaced.origins;
    graph.add_node(std::move(identity), node);
  }
  graph.remove(node);
}

} // namespace edgec
