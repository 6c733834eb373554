// What can be proven of shapes, and of the integers that are computed from them.
#pragma once

#include <unordered_map>

#include "ir/opdef.h"

namespace edgec {

/// Every dim is a number or a symbol made up here. Two dims of one symbol are equal in every run; symbols of the file
/// are not believed, since files use one name for dims of different size.
struct ShapeFacts {
  std::unordered_map<ValueId, Shape> shapes;   ///< of values whose rank is known
  std::unordered_map<ValueId, Shape> elements; ///< of integers of rank 0 and 1: symbols of dims, and numbers, also
                                               ///< negative ones, where there is no symbol
};

/// Sub-graphs are not looked into. Errors as of infer_types().
Result<ShapeFacts> shape_facts(const Graph &graph, const OpRegistry &ops);

} // namespace edgec
