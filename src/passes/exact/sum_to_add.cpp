// Writes Sum of two operands as Add, which gives the same and is what other passes, kernels and quantization look for:
//
//     y = Sum(a, b)      becomes      y = Add(a, b)
//
// Sum of one operand is eliminate-no-op's; of three and more it is one node instead of several; of codes it is rounded
// in another way.
#include "passes/pass.h"

namespace edgec::passes {
namespace {

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("Sum") || node.inputs.size() != 2 || graph.value(node.outputs[0]).type.is_quantized()) continue;
    context.say("sum-to-add", node.label(), "has two operands: an Add");
    graph.set_op(id, "Add");
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef sum_to_add;
const PassDef sum_to_add{"sum-to-add", "Write Sum of two operands as Add", run};

} // namespace edgec::passes
