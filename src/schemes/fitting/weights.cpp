#include "schemes/fitting/weights.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "ir/node_view.h"

namespace edgec {

std::vector<WeightTensor> float_weights(const Graph &graph, const Job &job, std::string_view pass) {
  std::vector<WeightTensor> found;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const auto info = job.scope.allows(node) ? weights_of(graph, node, job.ops) : std::nullopt;
    if (!info) continue;
    const ValueId weight = node.input(info->weight);
    const Tensor *data = graph.constant(weight);
    if (data == nullptr) {
      job.skip(pass, node.label(), "its weight is not a constant");
    } else if (data->rank() < 2) {
      job.skip(pass, node.label(), fmt::format("its weight has rank {}", data->rank()));
    } else if (!is_float(data->dtype)) {
      job.skip(pass, node.label(), fmt::format("its weight is {}", to_string(graph.value(weight).type)));
    } else {
      const auto known = std::ranges::find(found, weight, &WeightTensor::value);
      if (known == found.end())
        found.push_back({weight, {{id, *info}}});
      else
        known->readers.push_back({id, *info});
    }
  }
  return found;
}

bool is_depthwise(const Graph &graph, const WeightTensor &weight) {
  const Dims &dims = graph.constant(weight.value)->dims;
  return std::ranges::any_of(weight.readers, [&](const WeightTensor::Reader &reader) {
    const std::int64_t groups = reader.info.groups;
    const std::int64_t into = dims[reader.info.channel_axis == 0 ? 1 : 0]; // a ConvTranspose counts those of all groups
    return groups > 1 && (reader.info.channel_axis == 0 ? into == 1 : into == groups);
  });
}

bool reads_input(const Graph &graph, const OpRegistry &ops, NodeId node) {
  std::set<NodeId> seen;
  std::vector<ValueId> stack{graph.node(node).inputs.front()};
  while (!stack.empty()) {
    const NodeId producer = graph.value(stack.back()).producer;
    stack.pop_back();
    if (!producer.valid() || !seen.insert(producer).second) continue;
    const Node &at = graph.node(producer);
    const OpDef *op = ops.find(at);
    if (op != nullptr && op->weights != nullptr) return false;
    for (const ValueId v : at.inputs)
      if (v.valid()) stack.push_back(v);
  }
  return true;
}

void replace_weight(Graph &graph, const WeightTensor &weight, ValueId replacement) {
  for (const WeightTensor::Reader &reader : weight.readers)
    graph.set_input(reader.node, reader.info.weight, replacement);
  if (graph.use_count(weight.value) == 0) graph.remove(weight.value);
}

} // namespace edgec
