// What ONNX's schemas say of an operator in two opsets. Internal to this room.
#pragma once

#include <set>
#include <string>

#include "formats/onnx/opset_change.h"

namespace edgec::proto {

/// Operators of the default domain, by type.
using OpTypes = std::set<std::string>;

/// Operators of a graph and its sub-graphs that the opset below does not have, or has with a meaning that only other
/// operators can say. Error (unsupported) naming the node: one of them is not defined by others in its schema.
Result<OpTypes> absent_operators(const Graph &graph, std::int64_t present, std::int64_t target);

/// Writes operators out by the function bodies of their schemas (not in sub-graphs).
/// Error (unsupported) naming the node: a body needs types that are not known.
Status expand_operators(Graph &graph, const OpTypes &operators);

/// Whether ONNX has the operator in the opset that the node speaks; onnxruntime has LayerNormalization earlier, say.
bool has_schema(const OpsetChange &at);

/// Whether an operator has another schema in the one opset than in the other.
/// Error (unsupported): its operands are not those that it wants.
Result<bool> is_new_version(const OpsetChange &at);

/// Takes a node to the schema of its other version as far as both schemas tell how: attributes become the operands of
/// their names, constant operands attributes; those that only say the default go, another default is spelled out;
/// negative axes are counted from the front where the version takes no others; outputs that nobody reads go.
/// Error (unsupported) names the node and what the other version does not take.
Status fit_schema(OpsetChange at);

} // namespace edgec::proto
