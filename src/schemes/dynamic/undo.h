// Products of codes whose ranges are found as they run, as onnxruntime's quantize_dynamic and `--int8 dynamic` write
// them, as the products of reals that they stand for.
#pragma once

#include "ir/opdef.h"

namespace edgec {

/// How many such products and LSTMs a network has, with constant weights, in If, Loop and Scan, too.
std::size_t count_dynamic(const Graph &graph);

/// Turns them into MatMul, Conv and LSTM of reals, whose data are no longer rounded; those that are written in other
/// words stay. Returns how many.
///
///   xq, sx, zx = DynamicQuantizeLinear(x)   s = Mul(sx, sw)
///   y = Mul(Cast(MatMulInteger(xq, w, zx, zw)), s)   becomes   y = MatMul(x, sw (w - zw))
Result<std::size_t> undo_dynamic(Graph &graph, const OpRegistry &ops);

} // namespace edgec
