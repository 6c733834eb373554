// Values of the way forward that are computed again on the way back rather than kept: Chen, Xu, Zhang and Guestrin,
// "Training Deep Nets with Sublinear Memory Cost", 2016.
#pragma once

#include <span>

#include "ir/graph.h"

namespace edgec {

/// Bytes of nodes' results that are there at once, at most, while the nodes run in their order; `fetches` stay.
std::size_t live_bytes(const Graph &graph, std::span<const ValueId> fetches);

/// Cuts the nodes that `loss` is computed by into `segments` runs. What of one of them, but the last, is read by the
/// same run and on the way back alone goes in between: copies of its nodes stand before the first node that reads it
/// again. Every node computes what it did, of the same operands.
void recompute(Graph &graph, ValueId loss, std::size_t segments);

/// recompute() with the fewest segments that need no more than `bytes`, or those that need least; 1: nothing changes.
std::size_t fit_into(Graph &graph, ValueId loss, std::span<const ValueId> fetches, std::size_t bytes);

} // namespace edgec
