// What ONNX's schemas say of the element types of a node's operands and outputs.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace edgec {

/// Which operands and outputs of a node may hold elements of a type.
struct PossibleElements {
  std::vector<bool> operands, outputs;
};

/// What ONNX's schema of the operator at this opset allows; nothing: it has none.
std::optional<PossibleElements> may_hold(const Node &node, std::int64_t opset, DType dtype);

} // namespace edgec
