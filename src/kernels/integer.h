// Numbers of an integer convolution or matrix product besides its geometry.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ir/dtype.h"

namespace edgec {

/// What becomes of the int32 accumulator of output channel c (bias added): a code of `output`, or, for float32,
/// float(accumulator) * scales[c].
struct IntegerOutput {
  DType dtype = DType::uint8; ///< uint8, int8 or float32
  std::int32_t zero_point = 0;
  std::vector<float> scales;      ///< one per output channel
  std::vector<std::int32_t> bias; ///< one per output channel; empty: none
};

/// Operands of an integer convolution. Padding stands for the zero point.
struct IntegerConv {
  DType input = DType::uint8; ///< uint8 or int8
  std::int32_t input_zero_point = 0;
  std::vector<std::int16_t> weights; ///< codes minus their zero points, in ConvShape's order
  IntegerOutput output;
};

} // namespace edgec
