#include "schemes/share/refit_layer.h"

#include <algorithm>

namespace edgec {

LayerMasks aim_at_original(std::vector<Layer> &layers, const Graph &original, const Job &job) {
  LayerMasks masks;
  Graph normalized = original;
  std::map<NodeId, Layer> before;
  for (Layer &layer : float_layers(normalized, job)) before.emplace(layer.node, std::move(layer));
  for (Layer &layer : layers) {
    const std::vector<double> &weights = layer.original.data;
    if (std::ranges::find(weights, 0.0) != weights.end()) {
      Mask mask(weights.size());
      std::ranges::transform(weights, mask.begin(), [](double w) { return w != 0 ? 1 : 0; });
      masks[layer.node] = split_mask(mask, layer.groups());
    }
    const auto found = before.find(layer.node);
    if (found == before.end() || found->second.dims != layer.dims) continue;
    layer.original = std::move(found->second.original);
    if (layer.bias.size() == found->second.bias.size()) layer.bias = std::move(found->second.bias);
  }
  return masks;
}

std::span<const Mask> mask_of(const LayerMasks &masks, const Layer &layer) {
  const auto found = masks.find(layer.node);
  return found == masks.end() ? std::span<const Mask>() : found->second;
}

Result<std::vector<Matrix>> refit_layer(std::span<const FitGroup> groups, std::span<const Mask> kept, int threads) {
  EDGEC_ASSIGN(Refit fitted, kept.empty() ? refit(groups, threads) : refit_survivors(groups, kept, threads));
  return std::move(fitted.weights);
}

} // namespace edgec
