// Exact integer convolution on any vector instruction set: rows gathered to tiles, weights packed in panels.
#pragma once

#include "kernels/fast/conv.h"
#include "kernels/fast/tile.h"

namespace edgec::fast {

/// Exactly reference::conv, of any geometry. Error: `run.isa` has no tile.
Result<Kernel> conv_tiles(const ConvShape &shape, const IntegerConv &conv, Run run);

/// Exactly reference::conv for one channel a group (ConvShape::depthwise).
Result<Kernel> conv_depthwise(const ConvShape &shape, const IntegerConv &conv, Run run);

} // namespace edgec::fast
