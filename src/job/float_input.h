// A network on float16, bfloat16 or double: what compressing makes of it.
#pragma once

#include <set>

#include "ir/graph.h"
#include "support/settings.h"

namespace edgec {

/// The types of which the network is to be compressed as float32 (schemes/half/widened.h); none: as it is. Completes
/// what was asked for, so that halves become halves again where they do not become codes.
std::set<DType> take_floats(const Graph &graph, Settings &settings);

} // namespace edgec
