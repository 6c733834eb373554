#include "measure/picture.h"

#include <algorithm>
#include <map>

#include "ir/evaluate.h"

namespace edgec {
namespace {

/// "int8", "float": what a node's weight or, without one, its first output is stored as.
std::string number_of(const Graph &graph, const Node &node, const LayerSizes *layer) {
  const TensorSizes *weight = nullptr;
  for (const TensorSizes &constant : layer != nullptr ? layer->constants : std::vector<TensorSizes>())
    if (constant.parameter && (weight == nullptr || constant.elements > weight->elements)) weight = &constant;
  // A layer that computes on floats counts as float, however its weight is stored.
  if (weight != nullptr && layer->integer) return std::string(name(weight->type.dtype));
  if (node.outputs.empty() || !node.outputs[0].valid()) return {};
  const Type &type = graph.value(node.outputs[0]).type;
  return type.is_tensor() ? std::string(name(type.dtype)) : std::string();
}

} // namespace

std::vector<NodeFigures> picture_of(const Graph &graph, const GraphSizes &sizes) {
  std::map<std::string, const LayerSizes *> layers;
  for (const LayerSizes &layer : sizes.layers) layers.emplace(layer.label, &layer);
  std::map<NodeId, std::size_t> places;
  std::vector<NodeFigures> nodes;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const auto layer = layers.find(node.label());
    NodeFigures figures{.name = node.label(),
                        .op = node.domain.empty() ? node.op : node.domain + ":" + node.op,
                        .number = number_of(graph, node, layer == layers.end() ? nullptr : layer->second)};
    const auto read = [&](ValueId value) {
      if (!value.valid()) return;
      const auto from = places.find(graph.value(value).producer);
      if (from != places.end() && std::ranges::find(figures.inputs, from->second) == figures.inputs.end())
        figures.inputs.push_back(from->second);
    };
    std::ranges::for_each(node.inputs, read);
    std::ranges::for_each(node.captures, read);
    places[id] = nodes.size();
    nodes.push_back(std::move(figures));
  }
  return nodes;
}

void add_weight_histograms(const Graph &graph, const OpRegistry &ops, std::vector<LayerFigures> &layers) {
  constexpr std::size_t bins = 32;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const OpDef *op = ops.find(node);
    if (op == nullptr || op->weights == nullptr) continue;
    std::vector<const Type *> types;
    for (const ValueId input : node.inputs) types.push_back(input.valid() ? &graph.value(input).type : nullptr);
    const auto info = op->weights(node, types);
    const Tensor *weight = info ? graph.constant(node.input(info->weight)) : nullptr;
    const auto layer = std::ranges::find(layers, node.label(), &LayerFigures::name);
    if (weight == nullptr || layer == layers.end() || !layer->weights.empty()) continue;
    const auto &quant = graph.value(node.inputs[info->weight]).type.quant;
    layer->weights = histogram_of(to_doubles(quant ? dequantize(*weight, *quant) : *weight), bins);
  }
}

} // namespace edgec
