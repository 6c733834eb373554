// Where a classifier's answer is read.
#pragma once

#include "ir/graph.h"

namespace edgec {

/// The value whose largest element is the network's answer: what a final Softmax of the first output reads (looked for
/// through Reshape, Flatten, Squeeze, Identity, Cast, QuantizeLinear and DequantizeLinear), else the first output.
/// None: the graph has no outputs.
ValueId find_logits(const Graph &graph);

} // namespace edgec
