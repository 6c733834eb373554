#include "runtime/constant_reals.h"

#include <algorithm>

#include "runtime/plan_state.h"

namespace edgec {

void make_constants_real(Graph &graph, const OpRegistry &ops, const PlanOptions &options) {
  const auto named = [&](ValueId id) {
    return std::ranges::find(options.keep, id) != options.keep.end() ||
           std::ranges::find(options.fetches, id) != options.fetches.end() ||
           std::ranges::find(options.feeds, id) != options.feeds.end();
  };
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("DequantizeLinear") || named(node.outputs[0]) || graph.is_output(node.outputs[0])) continue;
    std::vector<RuntimeValue> inputs;
    for (const ValueId input : node.inputs)
      if (input.valid() && graph.constant(input) && !named(input)) inputs.emplace_back(*graph.constant(input));
    if (inputs.size() != node.inputs.size()) continue;
    const auto reals = evaluate_node(graph, ops, node, options, inputs, {});
    if (!reals || !reals->front().tensor) continue; // the plan says why
    graph.replace_uses(node.outputs[0], graph.add_constant(*reals->front().tensor));
  }
}

} // namespace edgec
