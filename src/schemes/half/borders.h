// The network's inputs and outputs in half precision.
#pragma once

#include "ir/graph.h"

namespace edgec {

/// Every float32 input and output of a network becomes `dtype`; Casts at its borders go where they say the same, and
/// stand where what is inside is float32. A network that was the same but for them gives the same.
void narrow_borders(Graph &graph, DType dtype);

} // namespace edgec
