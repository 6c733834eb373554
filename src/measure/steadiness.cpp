#include "measure/steadiness.h"

namespace edgec {
namespace {

/// The network behind a factor at each input of reals.
Graph nudged(const Graph &graph) {
  Graph moved = graph; // shares its tensors
  const NodeId first = graph.node_count() > 0 ? graph.nodes().front() : NodeId{};
  for (const ValueId input : graph.inputs()) {
    const Type type = graph.value(input).type;
    if (!type.is_tensor() || type.dtype != DType::float32) continue;
    const ValueId factor = moved.add_constant(Tensor::scalar(static_cast<float>(1 + input_nudge)));
    const ValueId larger = moved.add_value(type);
    moved.replace_uses(input, larger);
    moved.add_node({.op = "Mul", .inputs = {input, factor}, .outputs = {larger}}, first);
  }
  return moved;
}

} // namespace

Result<Fidelity> measure_steadiness(const Graph &graph, const OpRegistry &ops, const SampleSet &samples,
                                    const FidelityOptions &options) {
  return measure_fidelity(&graph, nudged(graph), ops, samples, options);
}

} // namespace edgec
