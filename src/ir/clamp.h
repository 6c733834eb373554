// Operators that clamp: Relu and Clip as the interval that they keep values in.
#pragma once

#include <limits>
#include <optional>

#include "ir/graph.h"

namespace edgec {

/// Reals; an open end is infinite.
struct Clamp {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
};

/// What a Relu, or a Clip whose bounds are constants of reals (attributes before opset 11), clamps to. The bounds of a
/// Clip may cross: every value becomes the upper one.
std::optional<Clamp> as_clamp(const Graph &graph, const Node &node);

/// Whether codes of that type, which saturate, keep values in the interval on their own.
bool saturates_within(const Type &codes, const Clamp &clamp);

} // namespace edgec
