// Reverse-mode differentiation of a graph by a graph: Griewank and Walther, "Evaluating Derivatives", 2008, chapter 3.
#pragma once

#include <span>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

/// Appends to `graph`, whose shapes are all known, nodes that compute the gradients of the scalar `loss` with regard to
/// the values `of`; gives them in that order, each of its value's shape and type. A value that the loss does not depend
/// on gets zeros. Recurrent layers are unrolled. Sorted afterwards. Error (unsupported): an operator on the way has no
/// gradient, or not this one; it names the node.
Result<std::vector<ValueId>> differentiate(Graph &graph, const OpRegistry &ops, ValueId loss,
                                           std::span<const ValueId> of);

} // namespace edgec
