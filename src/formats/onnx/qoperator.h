// The operators of ONNX and onnxruntime (com.microsoft) that take and give codes, beside those that they stand for.
#pragma once

#include "ir/graph.h"

namespace edgec {

/// Writes QLinearConv, QLinearMatMul, QGemm, QLinearAdd... as what they stand for: DequantizeLinear of the operands,
/// the plain operator, QuantizeLinear of the output. Only where scales and zero points are constants; true if the
/// graph changed. The result differs from the original by at most one step of the output's scale.
bool unfold_qoperators(Graph &graph);

} // namespace edgec
