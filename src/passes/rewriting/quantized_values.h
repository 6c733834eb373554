// Which integer values stand for reals: read off the QuantizeLinear and DequantizeLinear around them.
#pragma once

#include <optional>

#include "ir/opdef.h"

namespace edgec::passes {

/// The scale and zero point that a QuantizeLinear or DequantizeLinear applies to `codes` (its output or input); nothing
/// where they are not constants, no float32, or codes are not integers.
std::optional<Quant> border_quant(const Graph &graph, const Node &node, ValueId codes);

/// Gives an integer value a quantized type where all that write and read it agree on one scale and zero point, directly
/// or behind operators that only move codes. Nothing computes differently by that. True if a type changed.
bool type_codes(Graph &graph, const OpRegistry &ops);

} // namespace edgec::passes
