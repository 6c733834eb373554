// A layer's weights before they are shared: refit to the original's outputs, pruned ones 0.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "compress/survivors.h"
#include "schemes/fitting/float_layers.h"

namespace edgec {

/// By layer and group which weights pruning left; no entry where it took none.
using LayerMasks = std::map<NodeId, std::vector<Mask>>;

/// Notes which weights of the layers are 0, then aims the layers at the weights and biases that `original` has (the
/// same ids): what is shared after pruning is fitted to what the network computed before it.
LayerMasks aim_at_original(std::vector<Layer> &layers, const Graph &original, const Job &job);

/// That of a layer, or nothing.
std::span<const Mask> mask_of(const LayerMasks &masks, const Layer &layer);

/// Weights of the groups, fitted to what the layer reads now. Error: interrupted.
Result<std::vector<Matrix>> refit_layer(std::span<const FitGroup> groups, std::span<const Mask> kept, int threads);

} // namespace edgec
