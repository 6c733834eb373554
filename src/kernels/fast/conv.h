// Convolutions as kernels on channels_last activations; a matrix product is a 1x1 convolution over its rows.
#pragma once

#include <span>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/fast/operands.h"
#include "kernels/integer.h"
#include "kernels/shapes.h"
#include "support/result.h"

namespace edgec::fast {

/// What is done to each float output element, in order.
struct FloatPostOp {
  enum class Kind { relu, leaky_relu, clip, sigmoid, hard_swish, add };
  Kind kind = Kind::relu;
  float alpha = 0, beta = 0; ///< leaky_relu: slope; clip: bounds
  std::size_t operand = 0;   ///< add: which of the kernel's inputs, of the output's shape
};

/// Input 0 is x, others are read only by `add`; w and bias are taken from here. Every activation is channels_last.
/// Error Code::unsupported: no fast form.
Result<Kernel> conv(const ConvShape &shape, std::span<const float> w, std::span<const float> bias,
                    std::span<const FloatPostOp> post_ops, Run run);
Result<Kernel> conv_transpose(const ConvShape &shape, std::span<const float> w, std::span<const float> bias,
                              std::span<const FloatPostOp> post_ops, Run run);

/// The same where weights come at run time, row-major as ONNX has them: inputs x, w and, with `bias`, b.
Result<Kernel> conv(const ConvShape &shape, bool bias, Run run, Operands operands = Operands::float32);
Result<Kernel> conv_transpose(const ConvShape &shape, bool bias, Run run, Operands operands = Operands::float32);
/// reference::conv_weight_gradient: inputs x and dy (channels_last), outputs dw (row-major) and, with `bias`, db.
Result<Kernel> conv_weight_gradient(const ConvShape &shape, bool bias, Run run, Operands operands = Operands::float32);

/// Exactly reference::conv and conv_transpose, on channels_last.
Result<Kernel> conv(const ConvShape &shape, const IntegerConv &conv, Run run);
Result<Kernel> conv_transpose(const ConvShape &shape, const IntegerConv &conv, Run run);

} // namespace edgec::fast
