// Slice and Split: ranges of axes.
#include <algorithm>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

/// The range that an axis is cut to: `count` indices from `start`, `step` apart.
struct Range {
  std::int64_t start = 0, step = 1, count = 0;
};

/// Bounds as ONNX clamps them, on an axis of `size`.
Range range(std::int64_t size, std::int64_t start, std::int64_t end, std::int64_t step) {
  if (size == 0) return {0, step, 0};
  if (start < 0) start += size;
  if (end < 0) end += size; // INT64_MIN stays far below
  const std::int64_t last = step > 0 ? size : size - 1;
  start = std::clamp(start, std::int64_t{0}, last);
  end = std::clamp(end, std::int64_t{step > 0 ? 0 : -1}, last);
  const std::int64_t span = step > 0 ? end - start : start - end;
  const std::uint64_t stride = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  const std::int64_t count =
      span <= 0 ? 0 : static_cast<std::int64_t>((static_cast<std::uint64_t>(span) - 1) / stride) + 1;
  return {start, step, count};
}

struct SliceOperands {
  std::optional<std::vector<std::int64_t>> starts, ends, axes, steps;
  bool axes_unknown = false;
};

Result<SliceOperands> slice_operands(const InferArgs &args) {
  SliceOperands found;
  if (const auto *starts = args.node.get<std::vector<std::int64_t>>("starts")) {
    found.starts = *starts;
    found.ends = args.node.get_ints("ends");
    if (const auto *axes = args.node.get<std::vector<std::int64_t>>("axes")) found.axes = *axes;
  } else {
    EDGEC_CHECK(require(args, 3));
    found.starts = known_ints(args, 1);
    found.ends = known_ints(args, 2);
    found.axes = known_ints(args, 3);
    found.steps = known_ints(args, 4);
    found.axes_unknown = args.input(3) && !found.axes;
    if (args.input(4) && !found.steps) found.starts.reset();
  }
  std::optional<std::size_t> count; // of those that are known
  for (const auto *list : {&found.starts, &found.ends, &found.axes, &found.steps}) {
    if (!*list) continue;
    if (count && (*list)->size() != *count)
      return bad_input(
          fmt::format("starts, ends, axes and steps have different lengths, {} and {}", *count, (*list)->size()));
    count = (*list)->size();
  }
  return found;
}

/// Ranges of all axes of an operand; nothing where they are not known.
Result<std::optional<std::vector<Range>>> slice_ranges(const SliceOperands &operands, const Dims &dims) {
  std::vector<Range> ranges;
  for (const std::int64_t size : dims) ranges.push_back({0, 1, size});
  if (!operands.starts || !operands.ends || operands.axes_unknown) return std::optional<std::vector<Range>>{};
  for (std::size_t i = 0; i < operands.starts->size(); ++i) {
    EDGEC_ASSIGN(const int axis, normalize_axis(operands.axes ? (*operands.axes)[i] : static_cast<std::int64_t>(i),
                                                static_cast<int>(dims.size())));
    const std::int64_t step = operands.steps ? (*operands.steps)[i] : 1;
    if (step == 0) return bad_input("a step of 0");
    ranges[static_cast<std::size_t>(axis)] =
        range(dims[static_cast<std::size_t>(axis)], (*operands.starts)[i], (*operands.ends)[i], step);
  }
  return std::optional(std::move(ranges));
}

Result<std::vector<Type>> infer_slice(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  EDGEC_ASSIGN(const SliceOperands operands, slice_operands(args));
  if (!in.shape || operands.axes_unknown) {
    return std::vector<Type>{Type::tensor(in.dtype, in.shape ? std::optional(Shape(in.shape->size())) : std::nullopt)};
  }
  Shape out = *in.shape;
  Dims dims; // unknown ones as 0: their ranges are not used
  for (const Dim &dim : out) dims.push_back(std::max<std::int64_t>(dim.size, 0));
  EDGEC_ASSIGN(const auto ranges, slice_ranges(operands, dims));
  const std::size_t cut = operands.axes     ? operands.axes->size()
                          : operands.starts ? operands.starts->size()
                                            : out.size();
  for (std::size_t i = 0; i < cut; ++i) {
    EDGEC_ASSIGN(const int axis, normalize_axis(operands.axes ? (*operands.axes)[i] : static_cast<std::int64_t>(i),
                                                static_cast<int>(out.size())));
    Dim &dim = out[static_cast<std::size_t>(axis)];
    const bool whole = ranges && (*operands.starts)[i] == 0 && (*operands.ends)[i] >= INT32_MAX &&
                       (!operands.steps || (*operands.steps)[i] == 1);
    if (whole) continue;
    dim = ranges && dim.is_known() ? Dim::known((*ranges)[static_cast<std::size_t>(axis)].count) : Dim::unknown();
  }
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

/// One part of an operand as a strided copy, in the layout that it lies in.
struct Part {
  Dims order;
  std::vector<std::int64_t> steps;
  std::size_t start = 0; // bytes
};
Part part(const Dims &in, const std::vector<Range> &ranges, Layout layout, std::size_t width) {
  Part found;
  const auto from = strides_in(in, layout);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    found.order.push_back(ranges[i].count);
    found.steps.push_back(ranges[i].count > 1 ? from[i] * ranges[i].step : 0);
    start += ranges[i].count > 0 ? from[i] * ranges[i].start : 0;
  }
  found.order = in_memory_order(found.order, layout);
  found.steps = in_memory_order(found.steps, layout);
  found.start = static_cast<std::size_t>(start) * width;
  return found;
}

Tensor cut(const Cells &cells, const Dims &in, const std::vector<Range> &ranges) {
  const Part found = part(in, ranges, Layout::plain, cells.width());
  auto out = cells.space(found.order);
  if (!out.empty()) copy_strided(cells.data() + found.start, found.order, found.steps, out.data(), cells.width());
  return cells.finish(found.order, std::move(out));
}

Result<std::vector<RuntimeValue>> slice_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_slice));
  EDGEC_ASSIGN(const SliceOperands operands, slice_operands(ConcreteArgs(args)));
  EDGEC_ASSIGN(const auto ranges, slice_ranges(operands, args.inputs[0]->dims));
  if (!ranges) return bad_input("starts, ends, axes and steps must be integers");
  return one(cut(Cells(*args.inputs[0]), args.inputs[0]->dims, *ranges));
}

Kernel parts_kernel(const PrepareArgs &args, const std::vector<std::vector<Range>> &ranges) {
  const auto width = static_cast<std::size_t>(bits(args.inputs[0]->dtype)) / 8;
  const Layout layout = args.layouts[0];
  std::vector<Part> parts;
  for (const auto &one : ranges) parts.push_back(part(*args.inputs[0]->concrete(), one, layout, width));
  Kernel kernel{{layout}, layout, 0, 0, "copy", nullptr};
  kernel.run = [parts, width, threads = args.threads](const KernelIo &io) {
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (io.outputs[i])
        copy_strided(io.inputs[0] + parts[i].start, parts[i].order, parts[i].steps, io.outputs[i], width, threads);
  };
  return kernel;
}

bool keeps_type(const PrepareArgs &args) {
  return args.input(0) && std::ranges::all_of(args.outputs, [&](const Type *out) {
           return !out || (out->dtype == args.inputs[0]->dtype && out->quant == args.inputs[0]->quant);
         });
}

Result<Kernel> prepare_slice(const PrepareArgs &args) {
  if (!keeps_type(args)) return unsupported("not a copy");
  const InferArgs known{.node = args.node, .opset = args.opset, .inputs = args.inputs, .constants = args.constants};
  EDGEC_ASSIGN(const SliceOperands operands, slice_operands(known));
  EDGEC_ASSIGN(const auto ranges, slice_ranges(operands, *args.inputs[0]->concrete()));
  if (!ranges) return unsupported("bounds that are not constants");
  return parts_kernel(args, {*ranges});
}

/// Links where the bounds are known: output range `count` of an axis comes from `start` on, `step` apart.
Axes slice_axes(const AxisArgs &args) {
  Axes axes;
  if (!args.input(0) || !args.input(0)->shape) return axes;
  const Shape &in = *args.input(0)->shape;
  Dims dims;
  for (const Dim &dim : in) dims.push_back(dim.is_known() ? dim.size : 0);
  const auto operands = slice_operands(args);
  const auto ranges = operands ? slice_ranges(*operands, dims) : std::optional<std::vector<Range>>{};
  for (std::size_t i = 0; ranges && *ranges && i < in.size(); ++i) {
    const Range &range = (**ranges)[i];
    const auto axis = static_cast<int>(i);
    if (!in[i].is_known()) continue;
    axes.links.push_back({.input_axis = axis,
                          .input_offset = range.start,
                          .stride = range.step,
                          .output_axis = axis,
                          .count = range.count});
    if (range.step != 1) continue;
    const std::int64_t end = range.start + range.count;
    axes.links.push_back({.input_axis = axis, .output_axis = axis, .repeat = 0, .count = range.start});
    axes.links.push_back(
        {.input_axis = axis, .input_offset = end, .output_axis = axis, .repeat = 0, .count = in[i].size - end});
  }
  return axes;
}

/// Bounds between the indices that stay.
Result<Recut> slice_recut(const CutArgs &args) {
  EDGEC_ASSIGN(SliceOperands operands, slice_operands(args));
  Recut out;
  if (!operands.starts || !operands.ends) return out;
  const auto rank = args.input(0)->rank().value_or(0);
  std::vector<std::int64_t> &starts = *operands.starts, &ends = *operands.ends;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    EDGEC_ASSIGN(const int axis,
                 normalize_axis(operands.axes ? (*operands.axes)[i] : static_cast<std::int64_t>(i), rank));
    const AxisCut *from = args.cut(false, 0, axis);
    if (!from) continue;
    if (operands.steps && (*operands.steps)[i] != 1) return unsupported("indices are cut from a slice in steps");
    const auto at = range((*args.input(0)->shape)[static_cast<std::size_t>(axis)].size, starts[i], ends[i], 1);
    const auto place = [&](std::int64_t index) {
      return std::ranges::lower_bound(from->kept, index) - from->kept.begin();
    };
    starts[i] = place(at.start);
    ends[i] = place(at.start + at.count);
  }
  if (args.node.attribute("starts")) {
    out.attributes = {{"starts", starts}, {"ends", ends}};
    return out;
  }
  const Dims size{static_cast<std::int64_t>(starts.size())};
  out.operands.emplace_back(1, from_int64s(args.input(1)->dtype, size, starts));
  out.operands.emplace_back(2, from_int64s(args.input(2)->dtype, size, ends));
  return out;
}

// ---- Split

/// Sizes of the parts along the axis; nothing where they are not known.
Result<std::optional<std::vector<std::int64_t>>> parts(const InferArgs &args, const Dim &size) {
  using Parts = std::optional<std::vector<std::int64_t>>;
  const IntsOperand given = ints_operand(args, "split", 1);
  if (given.given) {
    if (!given.values) return Parts{};
    std::int64_t total = 0;
    for (const std::int64_t part : *given.values)
      if (part < 0 || __builtin_add_overflow(total, part, &total))
        return bad_input(fmt::format("a part of size {}", part));
    if (size.is_known() && total != size.size)
      return bad_input(fmt::format("parts sum to {}, the axis has {}", total, size.size));
    if (given.values->size() != args.node.outputs.size())
      return bad_input(fmt::format("{} parts for {} outputs", given.values->size(), args.node.outputs.size()));
    return Parts(*given.values);
  }
  const auto count = static_cast<std::int64_t>(args.node.outputs.size());
  const std::int64_t wanted = args.node.get_int("num_outputs", count);
  if (wanted != count) return bad_input(fmt::format("num_outputs is {}, the node has {} outputs", wanted, count));
  if (!size.is_known() || count == 0) return Parts{};
  const std::int64_t part = (size.size + count - 1) / count;
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(count), part);
  sizes.back() = size.size - part * (count - 1);
  if (sizes.back() < 0) return bad_input(fmt::format("an axis of size {} does not split into {}", size.size, count));
  return Parts(std::move(sizes));
}

Result<std::vector<Type>> infer_split(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  std::vector<Type> types(args.node.outputs.size(), Type::tensor(in.dtype, in.shape));
  if (!in.shape) return types;
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), static_cast<int>(in.shape->size())));
  const auto at = static_cast<std::size_t>(axis);
  EDGEC_ASSIGN(const auto sizes, parts(args, (*in.shape)[at]));
  for (std::size_t i = 0; i < types.size(); ++i)
    (*types[i].shape)[at] = sizes ? Dim::known((*sizes)[i]) : Dim::unknown();
  return types;
}

/// The ranges of each output.
std::vector<std::vector<Range>> split_ranges(const Dims &dims, std::size_t axis, std::span<const std::int64_t> sizes) {
  std::vector<std::vector<Range>> found;
  std::int64_t start = 0;
  for (const std::int64_t count : sizes) {
    found.emplace_back();
    for (const std::int64_t size : dims) found.back().push_back({0, 1, size});
    found.back()[axis] = {start, 1, count};
    start += count;
  }
  return found;
}

Result<std::vector<RuntimeValue>> split_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_split));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), in.rank()));
  const auto at = static_cast<std::size_t>(axis);
  std::vector<std::int64_t> sizes;
  for (const Type &type : types) sizes.push_back((*type.shape)[at].size);
  const Cells cells(in);
  std::vector<RuntimeValue> outputs;
  for (const auto &ranges : split_ranges(in.dims, at, sizes)) outputs.emplace_back(cut(cells, in.dims, ranges));
  return outputs;
}

Result<Kernel> prepare_split(const PrepareArgs &args) {
  if (!keeps_type(args)) return unsupported("not a copy");
  const Dims dims = *args.inputs[0]->concrete();
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), static_cast<int>(dims.size())));
  const auto at = static_cast<std::size_t>(axis);
  const InferArgs known{.node = args.node, .opset = args.opset, .inputs = args.inputs, .constants = args.constants};
  EDGEC_ASSIGN(const auto sizes, parts(known, Dim::known(dims[at])));
  if (!sizes) return unsupported("sizes that are not constants");
  return parts_kernel(args, split_ranges(dims, at, *sizes));
}

Axes split_axes(const AxisArgs &args) {
  Axes axes;
  if (!args.input(0) || !args.input(0)->shape) return axes;
  const auto axis = normalize_axis(args.node.get_int("axis", 0), static_cast<int>(args.input(0)->shape->size()));
  if (!axis) return axes;
  std::int64_t start = 0;
  for (std::size_t i = 0; i < args.outputs.size(); ++i) {
    const Type *out = args.output(i);
    if (!out || !out->shape || out->shape->size() != args.input(0)->shape->size()) return {};
    for (AxisLink link : same_axes(0, *args.input(0), *out)) {
      link.output = i;
      if (link.input_axis != *axis) axes.links.push_back(link);
    }
    const Dim &dim = (*out->shape)[static_cast<std::size_t>(*axis)];
    if (!dim.is_known()) return {};
    axes.links.push_back(
        {.input_axis = *axis, .input_offset = start, .output = i, .output_axis = *axis, .count = dim.size});
    start += dim.size;
  }
  return axes;
}

/// The sizes of the parts, spelled out.
Result<Recut> split_recut(const CutArgs &args) {
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), args.input(0)->rank().value_or(0)));
  Recut out;
  if (!args.cut(false, 0, axis)) return out;
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < args.outputs.size(); ++i) {
    const AxisCut *cut = args.cut(true, i, axis);
    sizes.push_back(cut ? static_cast<std::int64_t>(cut->kept.size())
                        : (*args.output(i)->shape)[static_cast<std::size_t>(axis)].size);
  }
  if (args.opset < 13)
    out.attributes.push_back({"split", sizes});
  else
    out.operands.emplace_back(1, row_of(std::move(sizes)));
  return out;
}

const OpDef defs[] = {{.name = "Slice",
                       .summary = "ranges of axes",
                       .moves_data = true,
                       .quant = QuantRule::same_scale,
                       .infer = infer_slice,
                       .reference = slice_reference,
                       .prepare = prepare_slice,
                       .axes = slice_axes,
                       .recut = slice_recut,
                       .codes_since = 1},
                      {.name = "Split",
                       .since = 1,
                       .summary = "an axis cut into parts",
                       .moves_data = true,
                       .quant = QuantRule::same_scale,
                       .infer = infer_split,
                       .reference = split_reference,
                       .prepare = prepare_split,
                       .axes = split_axes,
                       .recut = split_recut,
                       .codes_since = 2}};

} // namespace

std::span<const OpDef> slice() { return defs; }

} // namespace edgec::ops
