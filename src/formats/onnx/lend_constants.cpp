// Constants where operators can see them.
#include "formats/onnx/lend_constants.h"

namespace edgec::proto {
namespace {

/// Constant nodes become constants.
void free_constants(Graph &graph) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const Tensor *value = node.is("Constant") ? node.get<Tensor>("value") : nullptr;
    if (!value || graph.is_output(node.outputs[0])) continue;
    const ValueId old = node.outputs[0];
    const std::string name = graph.value(old).name;
    const ValueId made = graph.add_constant(Tensor(*value), name);
    graph.replace_uses(old, made);
    graph.remove(id);
  }
}

/// The sub-graph with small constants of its own in the place of captured ones; what is captured still goes to
/// `outside`.
Graph with_constants(const Graph &around, const Graph &body, std::span<const ValueId> captured,
                     std::vector<ValueId> &outside) {
  constexpr std::size_t most = 1024; // bytes
  Graph copy = body;
  for (std::size_t i = 0; i < captured.size(); ++i) {
    const ValueId inner = body.captures()[i];
    const Tensor *data = around.constant(captured[i]);
    if (!data || data->data.size() > most || copy.is_output(inner)) {
      outside.push_back(captured[i]);
      continue;
    }
    const std::string name = copy.value(inner).name;
    copy.replace_uses(inner, copy.add_constant(*data, name));
    copy.remove(inner);
  }
  lend_constants(copy);
  return copy;
}

/// The sub-graphs of a node; none where they are not all attributes of their own.
std::vector<std::pair<std::string, SubGraph>> bodies_of(const Node &node) {
  std::vector<std::pair<std::string, SubGraph>> bodies;
  for (const Attribute &attribute : node.attributes) {
    if (std::holds_alternative<std::vector<SubGraph>>(attribute.value)) return {};
    if (const auto *body = std::get_if<SubGraph>(&attribute.value)) bodies.emplace_back(attribute.name, *body);
  }
  return bodies;
}

} // namespace

void lend_constants(Graph &graph) {
  free_constants(graph);
  for (const NodeId id : graph.nodes()) {
    const Node node = graph.node(id);
    std::vector<std::pair<std::string, Graph>> made;
    std::vector<ValueId> outside;
    std::size_t capture = 0;
    for (const auto &[name, body] : bodies_of(node)) {
      const std::size_t count = body->captures().size();
      made.emplace_back(name, with_constants(graph, *body, std::span(node.captures).subspan(capture, count), outside));
      capture += count;
    }
    for (auto &[name, body] : made)
      graph.set_subgraph(id, name, std::make_shared<const Graph>(std::move(body)), outside);
  }
}

} // namespace edgec::proto
