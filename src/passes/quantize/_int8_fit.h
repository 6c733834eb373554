// The weights of one integer layer: refit, scales, rounding.
#pragma once

#include "passes/quantize/_int8_types.h"

namespace edgec {

/// Fits the layer's weights to the original's outputs on quantized inputs (compress/refit.h), searches its scales and
/// rounds (compress/rounding.h), and puts codes and scales into the graph. Returns the reals of the codes.
Result<Matrix> fit_int8(Graph &graph, Int8LayerState &layer, std::span<const FitGroup> groups, const PassContext &context);

} // namespace edgec
