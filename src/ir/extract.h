// A part of a graph as a graph of its own.
#pragma once

#include <span>

#include "ir/graph.h"
#include "support/result.h"

namespace edgec {

/// The part of a graph between values: `inputs` become graph inputs with the types that they have, `outputs` graph
/// outputs. Without inputs: all graph inputs that are needed; without outputs: all graph outputs. Types must have been
/// inferred. Errors (usage): an output that needs a graph input which is not among `inputs`; an input that none needs.
Result<Graph> extract(const Graph &graph, std::span<const ValueId> inputs, std::span<const ValueId> outputs);

} // namespace edgec
