// Rewriting the sub-graphs of If, Loop and Scan, which see values of the graph around them.
#pragma once

#include <cstddef>
#include <functional>

#include "ir/opdef.h"

namespace edgec {

/// Calls `edit` on a copy of each sub-graph of the nodes of `graph` and puts the copy in its place where `edit` says
/// that it changed it; true if one changed. Sub-graphs of opaque nodes, and lists of sub-graphs, are left as they are.
///
/// In the copy captured constants stand as constants of its own, so that passes see them: those of at most
/// `shared_limit` bytes, and larger ones that nothing else reads (what is made of them replaces them). Afterwards those
/// that were left as they are become captures again, and captures that nothing reads any more are dropped. Two captures
/// of one value become one.
Result<bool> edit_bodies(Graph &graph, const OpRegistry &ops, std::size_t shared_limit,
                         const std::function<Result<bool>(Graph &)> &edit);

} // namespace edgec
