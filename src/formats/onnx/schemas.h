// What ONNX's schemas say of an operator in another opset. Internal to this room.
#pragma once

#include <set>
#include <string>

#include "formats/onnx/proto.h"

namespace edgec::proto {

/// Operators of the default domain, by type.
using OpTypes = std::set<std::string>;

/// Operators of a graph and its sub-graphs that the opset does not have. Error (unsupported) naming the node: one of
/// them is not defined by others in its schema, so that it cannot be written out.
Result<OpTypes> absent_operators(const Graph &graph, std::int64_t present, std::int64_t target);

/// Writes operators out by the function bodies of their schemas, in sub-graphs, too.
/// Error (unsupported) naming the node: a body needs types that are not known.
Status expand_operators(Graph &graph, const OpTypes &operators);

/// Removes attributes that the opset does not know and that say no more than what is so without them.
void drop_idle_attributes(Graph &graph, std::int64_t present, std::int64_t target);

/// Whether all nodes of a type mean the same in another opset as far as their schemas tell: it takes their
/// attributes, operands (constant ones become the attributes that they were in old opsets) and types, with the same
/// defaults.
/// Error (unsupported) names the node and what is not taken.
Status fit_operator(Graph &graph, const std::string &op, std::int64_t present, std::int64_t target);

} // namespace edgec::proto
