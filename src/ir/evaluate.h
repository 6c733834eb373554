// Runs an operator's reference on any operands: integers as they are, codes, or through floats.
#pragma once

#include "ir/opdef.h"

namespace edgec {

/// The operator's value, quantized operands and outputs included. Operators that move data run on the codes where all
/// scales agree; operators with an integer definition of their own (OpDef::integer_reference) run it; for the others
/// quantized operands are dequantized, the float reference runs, and wanted outputs are quantized:
/// code = saturate(round_half_even(real / scale) + zero_point), ONNX QuantizeLinear.
Result<std::vector<RuntimeValue>> evaluate(const OpDef &op, const EvalArgs &args);

/// A node's value on operands that take the place of its own; null: omitted. Types that are not given are the operands'
/// own, and nothing is said of the outputs.
Result<std::vector<RuntimeValue>> evaluate_node(const OpDef &op, const Node &node, std::int64_t opset,
                                                std::span<const Tensor *const> inputs,
                                                std::span<const Type *const> input_types = {},
                                                std::span<const Type *const> output_types = {});

/// Codes to float32 and back. `quant` fits the tensor (checked by the caller: verify()).
Tensor dequantize(const Tensor &codes, const Quant &quant);
Tensor quantize(const Tensor &reals, DType dtype, const Quant &quant);

} // namespace edgec
