// Constants where operators can see them. Internal to this room.
#pragma once

#include "ir/graph.h"

namespace edgec::proto {

/// Constant nodes become constants, and small constants that sub-graphs read from outside get copies inside, so that
/// those which were attributes in older opsets can become attributes again.
void lend_constants(Graph &graph);

} // namespace edgec::proto
