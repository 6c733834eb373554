// The weights of one integer layer: refit, scales, rounding.
#pragma once

#include "schemes/int8/retype.h"
#include "schemes/rate/fit_rate.h"

namespace edgec {

/// Fits the layer's weights to the original's outputs on quantized inputs (compress/refit.h), searches its scales and
/// rounds (compress/rounding.h), and puts codes and scales into the graph. Returns the reals of the codes.
Result<Matrix> fit_int8(Graph &graph, Int8LayerState &layer, std::span<FitGroup> groups, const Job &job);

/// The same with codes of the least size at a rate (rate/fit_rate.h).
Result<Matrix> fit_int8_rate(Graph &graph, Int8LayerState &layer, std::span<const FitGroup> groups, double rate,
                             const Sensitivities &sensitivities, const Job &job);

/// Lets a layer read the codes that another was fitted, which had the same weight; false, and nothing is done, where
/// its bias would not fit their scales, or it needs codes of another form.
bool share_int8(Graph &graph, Int8LayerState &layer, const Int8LayerState &first);

} // namespace edgec
