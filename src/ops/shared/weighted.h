// What Conv and ConvTranspose (and, in part, Gemm and MatMul) share: checks, evaluation, links, cost.
#pragma once

#include "ir/opdef.h"
#include "kernels/shapes.h"

namespace edgec::ops {

enum class ConvKind : unsigned char { forward, transposed };

/// Geometry of the node on an input and a weight of these dims; errors say what does not fit.
using ConvShapeOf = Result<ConvShape> (*)(const Node &node, const Dims &x, const Dims &w);

/// Of a ConvTranspose.
Result<ConvShape> conv_transpose_shape(const Node &node, const Dims &x, const Dims &w);

/// The type of a product's output: float types are the input's; of quantized data the dtype is the quantizer's choice.
Type product_type(const Type &data, std::optional<Shape> shape);

Status check_groups(std::int64_t groups, std::int64_t in_channels, std::int64_t out_channels);
/// All tensors of the shape can be addressed.
Status check_sizes(const ConvShape &shape);

Result<std::vector<RuntimeValue>> evaluate_conv(const EvalArgs &args, ConvShapeOf shape_of, ConvKind kind);
Result<Kernel> prepare_conv(const PrepareArgs &args, ConvShapeOf shape_of, ConvKind kind);

/// Batch, weight and bias channels; the data's channels with the weight's, group by group where there are several.
Axes conv_axes(const AxisArgs &args, int weight_axis);
/// The number of groups after some were cut.
Result<Recut> conv_recut(const CutArgs &args);
Cost conv_cost(const Node &node, std::span<const Type *const> inputs, ConvShapeOf shape_of);

/// float16, bfloat16 and double are computed in float32.
Tensor from_floats(DType dtype, Dims dims, std::vector<float> values);

} // namespace edgec::ops
