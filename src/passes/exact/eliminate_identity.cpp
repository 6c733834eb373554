// Removes Identity:
//
//     a = Identity(x)  y = Relu(a)      becomes      y = Relu(x)
//
// Not where a graph output would become a graph input, a constant or another output's value: ONNX wants a node between
// them, and the writer would put it back. Not where it rescales: its input and output are quantized differently.
#include "passes/exact/_rewrite.h"
#include "passes/pass.h"

namespace edgec::passes {
namespace {

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("Identity") || !can_replace(graph, node.outputs[0], node.input(0))) continue;
    context.say("eliminate-identity", node.label(), "removed");
    graph.replace_uses(node.outputs[0], node.inputs[0]);
    graph.remove(id);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef eliminate_identity;
const PassDef eliminate_identity{"eliminate-identity", "Remove Identity nodes", PassKind::exact, run};

} // namespace edgec::passes
