// Removes Dropout, which passes its input on at inference:
//
//     a = Dropout(x)  y = Relu(a)      becomes      y = Relu(x)
//
// Not in training mode (operand 2 is not constant false), and not where the mask is read.
#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

bool trains(const Graph &graph, const Node &node) {
  if (!node.input(2).valid()) return false;
  const Tensor *mode = graph.constant(node.input(2));
  return !mode || mode->size() != 1 || to_int64s(*mode).front() != 0;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  constexpr std::string_view pass = "eliminate-dropout";
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("Dropout") || node.outputs.empty()) continue;
    const std::string label = node.label();
    if (trains(graph, node)) {
      context.skip(pass, label, "it may run in training mode");
    } else if (node.outputs.size() > 1 && node.outputs[1].valid() && graph.use_count(node.outputs[1]) > 0) {
      context.skip(pass, label, "its mask is read");
    } else if (can_replace(graph, node.outputs[0], node.input(0))) {
      graph.replace_uses(node.outputs[0], node.inputs[0]);
      graph.remove(id);
      context.say(pass, label, "removed");
      changed = true;
    }
  }
  return changed;
}

} // namespace

extern const PassDef eliminate_dropout;
const PassDef eliminate_dropout{"eliminate-dropout", "Remove Dropout, which does nothing at inference", run};

} // namespace edgec::passes
