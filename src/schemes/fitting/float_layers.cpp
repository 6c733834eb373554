#include "schemes/fitting/float_layers.h"

#include <algorithm>
#include <set>

#include "ir/clamp.h"
#include "ir/node_view.h"
#include "schemes/fitting/channel_bias.h"
#include "schemes/fitting/held_out.h"

namespace edgec {
namespace {

std::optional<Layer> float_layer(Graph &graph, NodeId id, const OpRegistry &ops) {
  const Node &node = graph.node(id);
  const OpDef *op = ops.find(node);
  if (!op || !op->as_conv || node.outputs.size() != 1) return std::nullopt;
  const auto info = weights_of(graph, node, ops);
  const Tensor *weight = info ? graph.constant(node.input(info->weight)) : nullptr;
  if (!weight || weight->dtype != DType::float32 || graph.constant(node.input(info->data))) return std::nullopt;
  auto rows = weight_rows(*weight, *info);
  if (!rows) return std::nullopt;
  auto bias = channel_bias(graph, node, *info);
  if (!bias) return std::nullopt;
  for (double &value : rows->data) value *= node.get_float("alpha", 1);
  const ValueId out = node.outputs[0];
  Layer layer{.node = id,
              .weights = *info,
              .weight = node.inputs[info->weight],
              .original_data = node.inputs[info->data],
              .output = out,
              .target = out,
              .clamp = std::nullopt,
              .dims = weight->dims,
              .original = std::move(*rows),
              .bias = std::move(*bias)};
  if (const NodeId reader = graph.sole_user(out); reader.valid())
    if (const auto clamp = as_clamp(graph, graph.node(reader))) {
      layer.clamp = clamp;
      layer.output = layer.target = graph.node(reader).outputs[0];
    }
  return layer;
}

/// Of all nodes, or of those `wanted`.
std::vector<Layer> layers_of(Graph &graph, const Job &job, const std::set<NodeId> *wanted) {
  std::vector<Layer> found;
  for (const NodeId id : graph.nodes()) {
    if (wanted && !wanted->contains(id)) continue;
    auto layer = float_layer(graph, id, job.ops);
    if (!layer) continue;
    graph.remove_attribute(id, "alpha");
    graph.remove_attribute(id, "beta");
    store_float_weight(graph, *layer, layer->original);
    store_float_bias(graph, *layer);
    found.push_back(std::move(*layer));
  }
  return found;
}

} // namespace

std::vector<Layer> float_layers(Graph &graph, const Job &job) { return layers_of(graph, job, nullptr); }

std::vector<Layer> float_layers_in_scope(Graph &graph, const Job &job, std::string_view pass) {
  std::set<NodeId> wanted;
  for (const WeightTensor &weight : float_weights(graph, job, pass))
    for (const WeightTensor::Reader &reader : weight.readers) wanted.insert(reader.node);
  std::vector<Layer> layers = layers_of(graph, job, &wanted);
  for (const Layer &layer : layers) wanted.erase(layer.node);
  for (const NodeId id : wanted)
    job.skip(pass, graph.node(id).label(),
             "its weight and bias are not constant finite float32 with an output channel a row");
  return layers;
}

Result<Calibration> target_means(const Graph &original, std::span<const Layer> layers, const Job &job) {
  CalibrationOptions options;
  for (const Layer &layer : layers) options.channel_means.push_back(layer.target);
  options.threads = job.threads;
  options.isa = job.isa;
  keep_answers(original, job, options);
  return calibrate(original, job.ops, *job.calibration, job.samples, options);
}

Status fit_float_layers(Graph &graph, std::span<Layer *const> layers, const FitTarget &target, const Job &job,
                        std::string_view what, LayerSteps steps) {
  steps.store_bias = [&](Layer &layer) { store_float_bias(graph, layer); };
  steps.progress = layer_progress(job, what);
  return compress_layers(graph, target.original, layers, target.means, job, steps);
}

void store_float_weight(Graph &graph, const Layer &layer, const Matrix &rows) {
  const ValueId old = graph.node(layer.node).inputs[layer.weights.weight];
  const std::vector<float> values(rows.data.begin(), rows.data.end());
  Tensor tensor = Tensor::of(layer.dims, as_stored(values, layer.dims, layer.weights));
  if (graph.use_count(old) == 1) return graph.set_data(old, std::move(tensor));
  const std::string name = graph.value(old).name;
  graph.set_input(layer.node, layer.weights.weight, graph.add_constant(std::move(tensor), name));
}

void share_float_weight(Graph &graph, const Layer &layer, const Layer &first) {
  const std::size_t place = layer.weights.weight;
  const ValueId old = graph.node(layer.node).inputs[place];
  graph.set_input(layer.node, place, graph.node(first.node).inputs[first.weights.weight]);
  if (graph.use_count(old) == 0) graph.remove(old);
}

void store_float_bias(Graph &graph, const Layer &layer) {
  if (layer.bias.empty()) return;
  const ValueId old = graph.node(layer.node).input(*layer.weights.bias);
  const std::vector<float> values(layer.bias.begin(), layer.bias.end());
  Tensor tensor = Tensor::of({static_cast<std::int64_t>(values.size())}, values);
  const bool own = old.valid() && graph.use_count(old) == 1 && graph.constant(old)->dims == tensor.dims;
  if (own) return graph.set_data(old, std::move(tensor));
  const std::string name = old.valid() ? graph.value(old).name : "";
  graph.set_input(layer.node, *layer.weights.bias, graph.add_constant(std::move(tensor), name));
}

} // namespace edgec
