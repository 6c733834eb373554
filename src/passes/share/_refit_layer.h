// A layer's weights before they are shared: refit to the original's outputs, pruned ones 0.
#pragma once

#include <span>
#include <vector>

#include "compress/survivors.h"
#include "passes/float_layers.h"

namespace edgec {

/// By group which weights pruning left; nothing where it took none.
std::vector<Mask> masks_of(const Layer &layer);

/// Weights of the groups, fitted to what the layer reads now.
std::vector<Matrix> refit_layer(const Layer &layer, std::span<const FitGroup> groups, int threads);

} // namespace edgec
