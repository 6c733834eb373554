// What passes over Reshape and its relatives share.
#pragma once

#include <optional>
#include <vector>

#include "ir/shape_facts.h"

namespace edgec::passes {

/// The constant target with which Reshape makes the shape of `to` out of `from`, both of equal size: numbers above 0,
/// 0 for a dim that `from` has at the same place, -1 for one other dim. Nothing where there is none: two dims would be
/// -1, or one is -1 and another is 0 (which fails for empty tensors).
std::optional<std::vector<std::int64_t>> reshape_target(const ShapeFacts &facts, ValueId from, ValueId to);

/// True where both shapes are known to be the same.
bool same_shape(const ShapeFacts &facts, ValueId a, ValueId b);

} // namespace edgec::passes
