// Graphs as pictures.
#pragma once

#include <string>

#include "ir/graph.h"

namespace edgec {

/// The graph in Graphviz's DOT language: nodes with operator and name, edges with types, constants of rank 1 and more
/// with their type. Sub-graphs are not drawn; what they capture is.
std::string to_dot(const Graph &graph);

} // namespace edgec
