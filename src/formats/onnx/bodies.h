// The sub-graphs of a node (branches of If, bodies of Loop and Scan), changed in their place. Internal to this room.
#pragma once

#include <functional>

#include "ir/graph.h"
#include "support/result.h"

namespace edgec::proto {

/// Gives each sub-graph of a node to `change`, as a copy that takes its place. Errors: those of `change`.
Status change_bodies(Graph &graph, NodeId id, const std::function<Status(Graph &)> &change);

} // namespace edgec::proto
