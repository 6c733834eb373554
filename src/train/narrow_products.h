// Training on bfloat16: what its products are made of, not what is learned.
#pragma once

#include "ir/opdef.h"

namespace edgec {

/// Convolutions and matrix products on float32 round their operands to bfloat16 first; sums, all other operators and
/// the parameters themselves stay float32 (Kalamkar et al. 2019). Depthwise and small ones stay as they are: they cost
/// more to round than they win.
void narrow_products(Graph &graph, const OpRegistry &ops);

} // namespace edgec
