// Bias correction layer by layer on already quantized inputs.
#pragma once

#include <span>

#include "passes/quantize/_int8_types.h"

namespace edgec {

/// Sets each layer's bias so that the channel means behind its activation are those of the float network (`means`,
/// ValueStatistics::channel_mean by Int8LayerState::target). Sequential: a layer sees what the corrected layers before
/// it give. One Newton step is target minus mean over the share of codes that saturation leaves free, because the mean
/// moves with the bias only there (Nagel et al. 2019, section 4.2, but matched after the activation).
Status correct_biases(Graph &graph, std::span<Int8LayerState> layers, const RangeStatistics &means, const PassContext &context);

} // namespace edgec
