// The invariants of a graph, checked.
#pragma once

#include "ir/graph.h"
#include "support/result.h"

namespace edgec {

/// Checks exactly the invariants that ir/graph.h lists, sub-graphs included, and that the nodes are in topological
/// order. A broken one is a bug, not bad input: Code::internal, naming the node or value.
Status verify(const Graph &graph);

} // namespace edgec
