// A node replaced by a graph.
#pragma once

#include "ir/graph.h"

namespace edgec {

/// Replaces a node by the nodes of `body`: its inputs stand for the node's inputs that are not omitted, its captures
/// for the node's captures, its outputs for the node's outputs that are not omitted, each in order (asserted to be as
/// many). The new nodes have the node's origins; its outputs stay the same values.
void inline_graph(Graph &graph, NodeId node, const Graph &body);

} // namespace edgec
