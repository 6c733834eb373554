#include "passes/share/_refit_layer.h"

#include <algorithm>

namespace edgec {

std::vector<Mask> masks_of(const Layer &layer) {
  const std::vector<double> &weights = layer.original.data;
  if (std::ranges::find(weights, 0.0) == weights.end()) return {};
  Mask mask(weights.size());
  std::ranges::transform(weights, mask.begin(), [](double w) { return w != 0 ? 1 : 0; });
  return split_mask(mask, layer.groups());
}

std::vector<Matrix> refit_layer(const Layer &layer, std::span<const FitGroup> groups, int threads) {
  const std::vector<Mask> masks = masks_of(layer);
  return (masks.empty() ? refit(groups, threads) : refit_survivors(groups, masks, threads)).weights;
}

} // namespace edgec
