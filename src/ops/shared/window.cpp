#include "ops/shared/window.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace edgec::ops {
namespace {

constexpr std::int64_t largest = std::int64_t{1} << 40; // keeps every sum and product below in range

Result<std::vector<std::int64_t>> ints(const Node &node, std::string_view name, std::size_t count, std::int64_t low,
                                       std::int64_t otherwise) {
  std::vector<std::int64_t> values = node.get_ints(name);
  if (values.empty()) return std::vector<std::int64_t>(count, otherwise);
  if (values.size() != count)
    return bad_input(fmt::format("{} has {} entries, expected {}", name, values.size(), count));
  for (const std::int64_t value : values)
    if (value < low || value > largest) return bad_input(fmt::format("{} is {}, out of range", name, values));
  return values;
}

Result<AutoPad> auto_pad(const Node &node) {
  const std::string text = node.get_string("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return AutoPad::notset;
  if (text == "SAME_UPPER") return AutoPad::same_upper;
  if (text == "SAME_LOWER") return AutoPad::same_lower;
  if (text == "VALID") return AutoPad::valid;
  return bad_input(fmt::format("auto_pad is \"{}\"", text));
}

/// Number of windows: (in + pads - reach - 1) / stride + 1; with ceil_mode also one that hangs over the end, if it
/// starts inside the input or the padding before it. A pool's quotient is cut towards zero, as onnxruntime and ONNX's
/// shape inference have it: a window too wide by less than a stride still pools what is there, and one too wide by a
/// stride pools nothing. Negative: not even that.
std::int64_t windows(const Window &axis, const WindowSpec &spec) {
  const std::int64_t room = axis.in + axis.pad_begin + axis.pad_end - axis.reach() - 1;
  if (room < 0) return spec.is_pool ? room / axis.stride + 1 : 0;
  std::int64_t count = (spec.ceil_mode ? (room + axis.stride - 1) / axis.stride : room / axis.stride) + 1;
  if (spec.ceil_mode && (count - 1) * axis.stride >= axis.in + axis.pad_begin) --count;
  return count;
}

/// onnxruntime before opset 19: padding that counts goes as far as windows do, unless ceil_mode adds windows.
void pad_for_windows(PoolShape &shape) {
  for (Window &axis : shape.axes)
    axis.pad_end = std::max(axis.pad_end, axis.input_index(axis.out - 1, axis.kernel - 1) - axis.in + 1);
}

} // namespace

Result<WindowSpec> window_spec(const Node &node, std::size_t rank, std::span<const std::int64_t> kernel) {
  WindowSpec spec;
  spec.is_pool = kernel.empty();
  if (spec.is_pool && node.get_ints("kernel_shape").empty()) return bad_input("kernel_shape is missing");
  EDGEC_ASSIGN(spec.kernel, ints(node, "kernel_shape", rank, 1, -1));
  for (std::size_t i = 0; i < kernel.size() && i < rank; ++i) {
    if (kernel[i] < 0) continue;
    if (spec.kernel[i] >= 0 && spec.kernel[i] != kernel[i])
      return bad_input(fmt::format("kernel_shape is {}, the weight's is {}", spec.kernel, kernel));
    if (kernel[i] == 0 || kernel[i] > largest) return bad_input(fmt::format("the kernel's shape is {}", kernel));
    spec.kernel[i] = kernel[i];
  }
  EDGEC_ASSIGN(spec.stride, ints(node, "strides", rank, 1, 1));
  EDGEC_ASSIGN(spec.dilation, ints(node, "dilations", rank, 1, 1));
  EDGEC_ASSIGN(const auto pads, ints(node, "pads", 2 * rank, 0, 0));
  spec.pad_begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(rank));
  spec.pad_end.assign(pads.begin() + static_cast<std::ptrdiff_t>(rank), pads.end());
  EDGEC_ASSIGN(spec.auto_pad, auto_pad(node));
  spec.ceil_mode = node.get_int("ceil_mode", 0) != 0;
  for (std::size_t i = 0; i < rank; ++i)
    if (spec.kernel[i] > 0 && spec.dilation[i] > largest / spec.kernel[i])
      return bad_input("kernel_shape times dilations is out of range");
  return spec;
}

Result<Window> place_window(const WindowSpec &spec, std::size_t i, std::int64_t in) {
  if (in < 0 || in > largest) return bad_input(fmt::format("a spatial axis has {} elements", in));
  if (spec.kernel[i] < 0) return bad_input("the kernel's shape is not known");
  Window axis{in, 0, spec.kernel[i], spec.stride[i], spec.dilation[i], spec.pad_begin[i], spec.pad_end[i]};
  if (spec.auto_pad == AutoPad::valid) axis.pad_begin = axis.pad_end = 0;
  if (spec.auto_pad == AutoPad::same_upper || spec.auto_pad == AutoPad::same_lower) {
    const std::int64_t wanted = (in + axis.stride - 1) / axis.stride;
    const std::int64_t reach = spec.is_pool ? axis.kernel - 1 : axis.reach();
    const std::int64_t total = std::max<std::int64_t>((wanted - 1) * axis.stride + reach + 1 - in, 0);
    axis.pad_begin = spec.auto_pad == AutoPad::same_lower ? total - total / 2 : total / 2;
    axis.pad_end = total - axis.pad_begin;
  }
  axis.out = windows(axis, spec);
  if (in > 0 && axis.out < (spec.is_pool ? 0 : 1))
    return bad_input(fmt::format("the window of {} (dilation {}) does not fit into {} + {} + {}", axis.kernel,
                                 axis.dilation, axis.in, axis.pad_begin, axis.pad_end));
  axis.out = std::max<std::int64_t>(axis.out, 0);
  return axis;
}

Result<std::array<Window, 3>> place_windows(const WindowSpec &spec, std::span<const std::int64_t> dims) {
  if (spec.rank() > 3) return unsupported(fmt::format("{} spatial axes, at most 3 can be run", spec.rank()));
  std::array<Window, 3> axes;
  for (std::size_t i = 0; i < spec.rank(); ++i) {
    EDGEC_ASSIGN(axes[3 - spec.rank() + i], place_window(spec, i, dims[2 + i]));
  }
  return axes;
}

Result<Shape> window_output(const WindowSpec &spec, std::span<const Dim> spatial) {
  Shape shape;
  for (std::size_t i = 0; i < spec.rank(); ++i) {
    if (i >= spatial.size() || !spatial[i].is_known() || spec.kernel[i] < 0) {
      shape.push_back(Dim::unknown());
      continue;
    }
    EDGEC_ASSIGN(const Window axis, place_window(spec, i, spatial[i].size));
    shape.push_back(Dim::known(axis.out));
  }
  return shape;
}

Result<PoolShape> pool_shape(const Node &node, std::int64_t opset, const Dims &x, bool is_global) {
  if (x.size() < 3) return bad_input(fmt::format("a pool of rank {}, expected at least 3", x.size()));
  PoolShape shape{.batch = x[0], .channels = x[1], .rank = static_cast<int>(x.size()) - 2};
  if (is_global) {
    if (x.size() > 5) return unsupported(fmt::format("{} spatial axes, at most 3 can be run", x.size() - 2));
    for (std::size_t i = 2; i < x.size(); ++i) shape.axes[5 - x.size() + i - 2] = {.in = x[i], .kernel = x[i]};
    return shape;
  }
  EDGEC_ASSIGN(const WindowSpec spec, window_spec(node, x.size() - 2));
  EDGEC_ASSIGN(shape.axes, place_windows(spec, x));
  if (opset > 0 && opset < 19 && !spec.ceil_mode) pad_for_windows(shape);
  return shape;
}

} // namespace edgec::ops
