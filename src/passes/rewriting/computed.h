// What constants alone decide.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ir/opdef.h"

namespace edgec::passes {

/// The operator of a node that may be computed while the graph is rewritten: it can be run, always gives the same and
/// holds no sub-graphs. Not DequantizeLinear, whose operand is how a weight is stored. Null: it may not.
const OpDef *computable(const Node &node, const OpRegistry &ops);

/// The elements of a tensor of real numbers of at most `largest` elements: a constant's, or what a few nodes compute of
/// constants; nothing where the value is another, or quantized.
std::optional<std::vector<double>> computed_reals(const Graph &graph, ValueId id, std::int64_t largest,
                                                  const OpRegistry &ops);

/// Whether ConstantOfShape or Expand makes a tensor of known shape from constants: the file does not hold its elements.
bool is_made(const Graph &graph, ValueId id);

} // namespace edgec::passes
