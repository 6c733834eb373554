// Operators without a kernel, written out as the operators that define them.
#pragma once

#include "ir/opdef.h"

namespace edgec {

/// Replaces nodes that no OpDef can run by their function bodies (OpRegistry::function_bodies) and infers types again,
/// as long as there is something to replace. Nodes without a body stay. Types of the graph are inferred.
Status expand_functions(Graph &graph, const OpRegistry &ops);

} // namespace edgec
