// What an exporter noted of the program that a network came from.
#pragma once

#include <cstddef>

#include "ir/graph.h"

namespace edgec {

/// Drops what PyTorch's exporter puts beside nodes, values and graphs for debugging: stack traces with paths of the
/// machine that exported, classes, scopes. No runtime reads it, and it can be most of a small file. Returns its bytes.
std::size_t drop_traces(Graph &graph);
/// The same, and says how many bytes, if any.
void leave_out_traces(Graph &graph);

} // namespace edgec
