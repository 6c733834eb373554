// What weighted operators on quantized operands are made of: codes without zero points, scales, int32 bias.
#pragma once

#include "ir/opdef.h"
#include "kernels/elementwise.h"
#include "kernels/integer.h"

namespace edgec::ops {

/// An operand's 8-bit codes as one scale and zero point. Errors: not 8 bit, not per tensor, a zero point out of range.
Result<Codes> codes_of(const Type &type);

/// Whether the operator is the integer one: data and weight are both quantized. Errors: only one of them is.
Result<bool> quantized_operands(const Type *data, const Type *weight);

/// A tensor's codes minus their zero points: integers of at most 8 bits, so that differences fit 16.
Result<std::vector<std::int16_t>> centred_codes(const Tensor &tensor, const Quant &quant);

/// Everything but the geometry. Output channel c has the weight's scale number c modulo their count along
/// `channel_axis`, or its only one. `bias` (null: none) holds int32 in units of alpha * sx * sw: one, or one per
/// channel. `output` is quantized per tensor, or float32.
struct IntegerOperands {
  const Type &data, &weight;
  const Tensor &weights;
  int channel_axis = 0;
  const Tensor *bias = nullptr;
  const Type &output;
  std::int64_t channels = 0;
  float alpha = 1;
};
Result<IntegerConv> integer_conv(const IntegerOperands &operands);

/// The output part alone, for a weight that need not be constant (`weights` is not read; `rank` of the weight).
Result<IntegerOutput> integer_output(const Type &data, const Type &weight, int rank, int channel_axis,
                                     const Tensor *bias, const Type &output, std::int64_t channels, float alpha = 1);

} // namespace edgec::ops
