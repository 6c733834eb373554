// Operators that ONNX's schemas define by other operators.
#pragma once

#include <span>

#include "ir/graph.h"
#include "support/result.h"

namespace edgec {

/// The function body of a node's schema at the opset imported, its attributes put in (ir/opdef.h, FunctionBody). Error
/// (unsupported): the schema is unknown or has no body.
Result<Graph> onnx_function_body(const Node &node, const Opsets &opsets, std::span<const Type *const> inputs);

} // namespace edgec
