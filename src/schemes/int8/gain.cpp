#include "schemes/int8/gain.h"

namespace edgec {
namespace {

// Bytes in a file with short names: a node with its operands' names, and a constant of one number.
constexpr double node_bytes = 36, scalar_bytes = 16;
constexpr double pair_bytes = 2 * node_bytes + scalar_bytes; // zero points are shared

/// What codes of a layer's weight save, its scales and the bias's taken off.
double saved(const Graph &graph, const Int8Layer &layer) {
  const Node &node = graph.node(layer.node);
  const Tensor &weight = *graph.constant(node.inputs[layer.weights.weight]);
  const auto channels = static_cast<double>(weight.dims[static_cast<std::size_t>(layer.weights.channel_axis)]);
  const double scales = channels * sizeof(float) + scalar_bytes + node_bytes;
  const double weights = static_cast<double>(weight.size()) * (32 - layer.number.bits) / 8;
  return weights - scales * (layer.weights.bias ? 2 : 1);
}

} // namespace

std::optional<std::set<NodeId>> layers_worth_codes(const Graph &graph, const Int8Plan &plan) {
  double all = 0;
  std::set<NodeId> worth;
  for (const Int8Layer &layer : plan.layers) {
    const double bytes = saved(graph, layer);
    all += bytes;
    if (bytes > pair_bytes) worth.insert(layer.node);
  }
  for (const auto &[id, number] : plan.quantized) all -= graph.constant(id) ? 0 : pair_bytes;
  return all > 0 ? std::nullopt : std::optional(std::move(worth));
}

} // namespace edgec
