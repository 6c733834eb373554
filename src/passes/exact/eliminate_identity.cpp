// Removes Identity:
//
//     a = Identity(x)  y = Relu(a)      becomes      y = Relu(x)
//
// Not where a graph output would become a graph input, a constant or another output's value: ONNX wants a node between
// them, and the writer would put it back. Not where it rescales: its input and output are quantized differently.
#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

/// What an opaque operator gives may have no known type; the Identity after it says the same value's.
bool is_untyped(const Graph &graph, ValueId id) {
  if (!id.valid() || !graph.producer(id)) return false;
  const Type &type = graph.value(id).type;
  return type.kind == Type::Kind::unknown || (type.is_tensor() && type.dtype == DType::undefined);
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("Identity")) continue;
    const ValueId from = node.outputs[0], to = node.input(0);
    const bool untyped = is_untyped(graph, to) && !(graph.is_output(from) && graph.is_output(to));
    if (!untyped && !can_replace(graph, from, to)) continue;
    if (untyped) graph.set_type(to, Type(graph.value(from).type));
    context.say("eliminate-identity", node.label(), "removed");
    graph.replace_uses(from, to);
    graph.remove(id);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef eliminate_identity;
const PassDef eliminate_identity{"eliminate-identity", "Remove Identity nodes", run};

} // namespace edgec::passes
