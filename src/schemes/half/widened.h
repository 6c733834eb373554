// A network on float16, bfloat16 or double as the same network on float32, which schemes start from.
#pragma once

#include <set>

#include "ir/graph.h"
#include "ir/opdef.h"

namespace edgec {

/// Of float16, bfloat16 and double those that weights of layers are held in, in bodies of If, Loop and Scan too.
std::set<DType> other_floats(const Graph &graph, const OpRegistry &ops);

/// What is of `types` (none: nothing) becomes float32: constants, values, what attributes name, bodies too. Inputs and
/// outputs of the network keep their types, behind Casts. float16 and bfloat16 lose nothing; what float32 does not hold
/// of doubles is rounded. Error, naming the node: an operator gives such a type whatever it reads.
Status widen(Graph &graph, const OpRegistry &ops, const std::set<DType> &types);

} // namespace edgec
