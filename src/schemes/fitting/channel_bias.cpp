#include "schemes/fitting/channel_bias.h"

#include <algorithm>

#include "measure/logits.h"

namespace edgec {

std::int64_t output_channels(const Dims &weight, const WeightInfo &info) {
  const bool of_one_group = info.groups > 1 && info.channel_axis != 0; // as ConvTranspose counts them
  return weight[static_cast<std::size_t>(info.channel_axis)] * (of_one_group ? info.groups : 1);
}

std::optional<std::vector<double>> channel_bias(const Graph &graph, const Node &node, const WeightInfo &info) {
  if (!info.bias) return std::vector<double>();
  const Tensor *weight = graph.constant(node.input(info.weight));
  if (!weight) return std::nullopt;
  const std::int64_t channels = output_channels(weight->dims, info);
  std::vector<double> bias(static_cast<std::size_t>(channels));
  const ValueId id = node.input(*info.bias);
  if (!id.valid()) return bias;
  const Tensor *stored = graph.constant(id);
  if (!stored || !is_float(stored->dtype)) return std::nullopt;
  const std::int64_t along = stored->dims.empty() ? 1 : stored->dims.back();
  if (stored->size() != along || (along != 1 && along != channels)) return std::nullopt;
  const std::vector<double> values = to_doubles(*stored);
  if (std::ranges::any_of(values, is_endless)) return std::nullopt;
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = values[along == 1 ? 0 : c] * node.get_float("beta", 1);
  return bias;
}

} // namespace edgec
