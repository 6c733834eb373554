#include "passes/share/_refit_layer.h"

#include <algorithm>

namespace edgec {
namespace {

constexpr double survivor_damping = 0.03; // of H's mean diagonal

} // namespace

std::vector<Mask> masks_of(const Layer &layer) {
  std::vector<Mask> masks;
  if (std::ranges::find(layer.original.data, 0.0) == layer.original.data.end()) return masks;
  const std::size_t size = layer.group_rows() * layer.original.columns;
  for (std::size_t g = 0; g < layer.groups(); ++g) {
    Mask &mask = masks.emplace_back(size);
    for (std::size_t i = 0; i < size; ++i) mask[i] = layer.original.data[g * size + i] != 0 ? 1 : 0;
  }
  return masks;
}

std::vector<Matrix> refit_layer(const Layer &layer, std::span<const FitGroup> groups, int threads) {
  const std::vector<Mask> masks = masks_of(layer);
  if (masks.empty()) return refit(groups, threads).weights;
  std::vector<Matrix> fitted;
  for (std::size_t g = 0; g < groups.size(); ++g)
    fitted.push_back(refit_survivors(groups[g].weights, masks[g], groups[g].all, survivor_damping, threads));
  return fitted;
}

} // namespace edgec
