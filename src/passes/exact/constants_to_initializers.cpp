// Turns Constant nodes into constants of the graph, so that every pass finds weights in one place:
//
//     w = Constant<value = float[2] {1, 2}>()  y = Mul(x, w)      becomes      <float[2] w = {1, 2}> y = Mul(x, w)
//
// A constant that is a graph output becomes an initializer of that name. Not of attributes the IR does not look into
// (sparse tensors).
#include "ir/evaluate.h"
#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const OpDef *op = context.ops.find(node);
    if (!node.is("Constant") || !op) continue;
    const std::string label = node.label();
    const Type *no_types[] = {nullptr};
    const auto values = evaluate(*op, {.node = node, .opset = graph.opset(), .output_types = no_types});
    if (!values || !values->front().tensor) {
      context.skip("constants-to-initializers", label, values ? "its value is not a tensor" : values.error().message);
      continue;
    }
    replace_by_constant(graph, node.outputs[0], *values->front().tensor);
    graph.remove(id);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef constants_to_initializers;
const PassDef constants_to_initializers{"constants-to-initializers", "Turn Constant nodes into constants of the graph",
                                        run};

} // namespace edgec::passes
