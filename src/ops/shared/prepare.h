// What the fast forms of many operators share: layouts, quantized operands, kernels through floats.
#pragma once

#include <optional>
#include <vector>

#include "ir/opdef.h"
#include "kernels/elementwise.h"
#include "kernels/rows.h"

namespace edgec::ops {

/// Dims or strides of the axes in the order in which `layout` keeps them in memory, outermost first.
Dims in_memory_order(const Dims &axes, Layout layout);
/// Elements between neighbours along each axis (axes as ONNX numbers them) of a tensor that lies in `layout`.
std::vector<std::int64_t> strides_in(const Dims &dims, Layout layout);
/// True where both layouts are the same bytes.
bool layouts_agree(const Dims &dims);

/// An 8-bit tensor with one scale.
std::optional<Codes> codes(const Type *type);
bool is_float32(const Type *type);

/// Two operands broadcast to operand 2 (the result), in the layout that the larger ones lie in already.
struct Pair {
  Layout layout = Layout::plain;
  std::vector<Layout> wanted; ///< of both operands
  Rows<3> rows;               ///< of both operands and the result
};
Result<Pair> pair(const PrepareArgs &args);

/// The kernel of `prepare` for reals between dequantized operands and quantized results, where `args` has 8-bit ones
/// with one scale. Unsupported otherwise.
Result<Kernel> through_floats(const PrepareArgs &args, Result<Kernel> (*prepare)(const PrepareArgs &));

/// A kernel that copies operand 0's bytes.
Result<Kernel> prepare_copy(const PrepareArgs &args);

} // namespace edgec::ops
