// Removes Identity: `a = Identity(x)  y = Relu(a)` becomes `y = Relu(x)`.
// Not where a graph input or a capture would become a graph output directly: ONNX wants a node between them, and the
// writer would put it back.
#include "passes/pass.h"

namespace edgec::passes {
namespace {

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("Identity") || !node.input(0).valid()) continue;
    const ValueId from = node.outputs[0];
    const ValueId to = node.inputs[0];
    if (graph.is_output(from) && !graph.producer(to)) continue;
    context.say("eliminate-identity", node.label(), "removed");
    graph.replace_uses(from, to);
    graph.remove(id);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef eliminate_identity;
const PassDef eliminate_identity{"eliminate-identity", "Remove Identity nodes", PassKind::exact, run};

} // namespace edgec::passes
