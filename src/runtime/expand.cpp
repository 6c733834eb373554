#include "runtime/expand.h"

#include "ir/inline.h"
#include "ir/node_view.h"

namespace edgec {
namespace {

constexpr int deepest = 16; // bodies in bodies

/// Whether something was replaced.
Result<bool> expand_once(Graph &graph, const OpRegistry &ops) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const OpDef *op = ops.find(node);
    if (op && op->reference) continue;
    const auto body = ops.function_bodies()(node, graph.opsets, types_of(graph, node.inputs));
    if (!body) {
      if (body.error().code == Code::unsupported) continue;
      return body.error();
    }
    for (const auto &[domain, version] : body->opsets) graph.opsets.try_emplace(domain, version);
    inline_graph(graph, id, *body);
    changed = true;
  }
  return changed;
}

} // namespace

Status expand_functions(Graph &graph, const OpRegistry &ops) {
  if (!ops.function_bodies()) return {};
  for (int depth = 0; depth < deepest; ++depth) {
    EDGEC_ASSIGN(const bool changed, expand_once(graph, ops));
    if (!changed) return {};
    EDGEC_CHECK(infer_types(graph, ops));
  }
  return {};
}

} // namespace edgec
