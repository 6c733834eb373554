// Attributes of operators that slide a window (Conv, ConvTranspose, pools) and the geometry they make of a shape.
#pragma once

#include <span>
#include <vector>

#include "ir/opdef.h"
#include "kernels/shapes.h"

namespace edgec::ops {

enum class AutoPad : unsigned char { notset, same_upper, same_lower, valid };

/// kernel_shape, strides, dilations, pads, auto_pad and ceil_mode, checked: `rank` entries each, all in range.
struct WindowSpec {
  std::vector<std::int64_t> kernel, stride, dilation, pad_begin, pad_end;
  AutoPad auto_pad = AutoPad::notset;
  bool ceil_mode = false;
  bool is_pool = false; ///< no weight gives the window its size

  [[nodiscard]] std::size_t rank() const { return kernel.size(); }
};

/// Reads the attributes for `rank` spatial axes. `kernel` is the weight's spatial shape where the operator has one
/// (-1: not known); an attribute kernel_shape must agree with it.
Result<WindowSpec> window_spec(const Node &node, std::size_t rank, std::span<const std::int64_t> kernel = {});

/// The window of spatial axis `i` over an input of size `in`. Errors: the window does not fit into the padded input.
/// With auto_pad SAME, a pool's padding does not count dilation (onnxruntime).
Result<Window> place_window(const WindowSpec &spec, std::size_t i, std::int64_t in);

/// The spatial axes of `dims` (N, C, ...) as windows, at the back of three. Errors: more than three axes.
Result<std::array<Window, 3>> place_windows(const WindowSpec &spec, std::span<const std::int64_t> dims);

/// Shape inference: the output's spatial dims; unknown where the input's is.
Result<Shape> window_output(const WindowSpec &spec, std::span<const Dim> spatial);

/// The geometry of a pool, global or with windows, over an input of these dims.
Result<PoolShape> pool_shape(const Node &node, std::int64_t opset, const Dims &x, bool is_global);

} // namespace edgec::ops
