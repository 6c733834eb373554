// Whether codes make a file smaller: weights take a quarter, but each tensor of codes brings nodes and scales.
#pragma once

#include <optional>
#include <set>

#include "schemes/int8/placement.h"

namespace edgec {

/// The layers whose codes save more in an .onnx file than their QuantizeLinear and DequantizeLinear nodes take, each by
/// itself; nothing: the plan as a whole saves bytes, and all that it wants may be codes.
std::optional<std::set<NodeId>> layers_worth_codes(const Graph &graph, const Int8Plan &plan);

} // namespace edgec
