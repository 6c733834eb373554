// How files say what a graph computes, where a runtime wants it otherwise than ONNX's plain way.
#pragma once

#include "ir/graph.h"

namespace edgec {

/// Biases in int32 codes become the reals that they stand for: for runtimes that compute biases on floats only.
void give_float_biases(Graph &graph);

/// MatMul of x with the DequantizeLinear of a constant becomes com.microsoft's MatMulNBits, where that says the same:
/// codes of 4 or 8 bits [K, N], scales in blocks along K whose size is a power of two, 16 at least. Its layout as
/// onnxruntime computes it: B uint8 [N, blocks, block * bits / 8], row n's codes in order of K, of 4 bits the first in
/// the low half of a byte; scales [N * blocks]; zero points, where one is not 2^(bits - 1), packed likewise, rows from
/// whole bytes. Signed codes are moved up by 2^(bits - 1). Returns how many there were.
std::size_t name_bit_products(Graph &graph);

} // namespace edgec
