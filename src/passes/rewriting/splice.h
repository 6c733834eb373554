// Copying a sub-graph into the graph around it.
#pragma once

#include <span>
#include <vector>

#include "ir/graph.h"

namespace edgec::passes {

/// Copies the nodes and constants of `inner` into `graph`, before the node `before`, and gives the values that its
/// outputs have become. `inputs` and `captures` are what its own inputs and captures are in `graph`.
std::vector<ValueId> splice(Graph &graph, const Graph &inner, std::span<const ValueId> inputs,
                            std::span<const ValueId> captures, NodeId before);

} // namespace edgec::passes
