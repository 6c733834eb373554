// Pad: elements added at the ends of axes (or taken off, where negative).
#include <algorithm>

#include <fmt/format.h>

#include "ir/evaluate.h"
#include "ops/shared/move.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

/// Elements added before and after each axis; nothing where they are not known.
struct Pads {
  std::vector<std::int64_t> before, after;
};

Result<std::optional<Pads>> pads(const InferArgs &args, std::size_t rank) {
  const IntsOperand given = ints_operand(args, "pads", 1);
  if (!given.given) return bad_input("needs pads");
  if (!given.values || (args.input(3) && !known_ints(args, 3))) return std::optional<Pads>{};
  std::vector<int> axes;
  if (const auto chosen = known_ints(args, 3)) {
    EDGEC_ASSIGN(axes, normalize_axes(*chosen, static_cast<int>(rank)));
  } else {
    for (std::size_t i = 0; i < rank; ++i) axes.push_back(static_cast<int>(i));
  }
  if (given.values->size() != axes.size() * 2)
    return bad_input(fmt::format("{} pads for {} axes", given.values->size(), axes.size()));
  Pads found{std::vector<std::int64_t>(rank), std::vector<std::int64_t>(rank)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    found.before[static_cast<std::size_t>(axes[i])] = (*given.values)[i];
    found.after[static_cast<std::size_t>(axes[i])] = (*given.values)[i + axes.size()];
  }
  return std::optional(std::move(found));
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  EDGEC_ASSIGN(const auto added, pads(args, in.shape->size()));
  Shape out(in.shape->size());
  for (std::size_t i = 0; added && i < out.size(); ++i) {
    const Dim &dim = (*in.shape)[i];
    if (added->before[i] == 0 && added->after[i] == 0) {
      out[i] = dim;
      continue;
    }
    std::int64_t size = dim.size;
    if (!dim.is_known()) continue;
    if (__builtin_add_overflow(size, added->before[i], &size) || __builtin_add_overflow(size, added->after[i], &size) ||
        size < 0)
      return bad_input(
          fmt::format("axis {} of size {} is padded by {} and {}", i, dim.size, added->before[i], added->after[i]));
    out[i] = Dim::known(size);
  }
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

enum class Mode { constant, reflect, edge, wrap };

/// The operand's index for index `i` of the unpadded axis' continuation; -1: the constant.
std::int64_t source(std::int64_t i, std::int64_t size, Mode mode) {
  if (i >= 0 && i < size) return i;
  if (mode == Mode::constant || size == 0) return -1;
  if (mode == Mode::edge) return i < 0 ? 0 : size - 1;
  if (mode == Mode::wrap) return ((i % size) + size) % size;
  if (size == 1) return 0;
  const std::int64_t period = 2 * (size - 1);
  const std::int64_t at = ((i % period) + period) % period;
  return at < size ? at : period - at;
}

Result<Mode> mode(const Node &node) {
  const std::string name = node.get_string("mode", "constant");
  if (name == "constant") return Mode::constant;
  if (name == "reflect") return Mode::reflect;
  if (name == "edge") return Mode::edge;
  if (name == "wrap") return Mode::wrap;
  return bad_input(fmt::format("mode is \"{}\", expected constant, reflect, edge or wrap", name));
}

/// For each axis the operand's index of every index of the result.
std::vector<std::vector<std::int64_t>> tables(const Dims &dims, const Pads &added, Mode mode) {
  std::vector<std::vector<std::int64_t>> found(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i)
    for (std::int64_t at = -added.before[i]; at < dims[i] + added.after[i]; ++at)
      found[i].push_back(source(at, dims[i], mode));
  return found;
}

/// The constant as an element of the operand's type; where codes are moved, a real constant (absent: 0) as a code.
Tensor fill_value(const EvalArgs &args) {
  const DType dtype = args.inputs[0]->dtype;
  if (dtype == DType::string) return Tensor::of_strings({}, {std::string()});
  const Tensor *constant = args.input(2);
  if (constant && constant->size() == 1 && constant->dtype == dtype) return {dtype, {}, constant->data, nullptr};
  const double value = constant && constant->size() == 1 ? to_doubles(*constant)[0] : args.node.get_float("value", 0);
  const Type *type = args.input_types.empty() ? nullptr : args.input_types[0];
  if (!type || !type->quant) return from_doubles(dtype, {}, std::vector<double>{value});
  return quantize(Tensor::scalar(static_cast<float>(value)), dtype, *type->quant);
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &in = *args.inputs[0];
  const Dims dims = *types[0].concrete();
  EDGEC_ASSIGN(const auto added, pads(ConcreteArgs(args), in.dims.size()));
  EDGEC_ASSIGN(const Mode how, mode(args.node));
  const Tensor fill = fill_value(args);
  const Tensor *operands[] = {&in, &fill};
  const Cells cells(operands);
  auto out = cells.space(dims);
  if (!out.empty())
    copy_by_tables(cells.data(), in.dims, tables(in.dims, *added, how), cells.data(1), out.data(), cells.width());
  return one(cells.finish(dims, std::move(out)));
}

/// In the layout in which the operand lies.
Result<Kernel> prepare(const PrepareArgs &args) {
  if (!args.input(0) || args.inputs[0]->quant != args.outputs[0]->quant) return unsupported("the scale changes");
  if (args.input(2) && (!args.constant(2) || (args.input(2)->quant && args.input(2)->quant != args.inputs[0]->quant)))
    return unsupported("a fill value that is not a constant or has another scale");
  const InferArgs known{.node = args.node, .opset = args.opset, .inputs = args.inputs, .constants = args.constants};
  const Dims dims = *args.inputs[0]->concrete();
  EDGEC_ASSIGN(const auto added, pads(known, dims.size()));
  if (!added) return unsupported("pads that are not constants");
  EDGEC_ASSIGN(const Mode how, mode(args.node));
  const Tensor type_only{args.inputs[0]->dtype, dims, {}, nullptr};
  const Tensor *operands[] = {&type_only, nullptr, args.constant(2)};
  const Tensor fill =
      fill_value({.node = args.node, .opset = args.opset, .inputs = operands, .input_types = args.inputs});
  const Layout layout = args.layouts[0];
  auto by_axis = tables(dims, *added, how);
  if (layout == Layout::channels_last && by_axis.size() > 2)
    std::rotate(by_axis.begin() + 1, by_axis.begin() + 2, by_axis.end());
  Kernel kernel{{layout}, layout, 0, 0, "copy", nullptr};
  kernel.run = [by_axis, fill, order = in_memory_order(dims, layout), threads = args.threads](const KernelIo &io) {
    copy_by_tables(io.inputs[0], order, by_axis, fill.data.data(), io.outputs[0], fill.data.size(), threads);
  };
  return kernel;
}

/// An axis without pads keeps its place; of one that a constant continues, the operand's range does.
Axes axes(const AxisArgs &args) {
  Axes axes;
  if (!args.input(0) || !args.input(0)->shape) return axes;
  const Shape &in = *args.input(0)->shape;
  const auto added = pads(args, in.size());
  const auto how = mode(args.node);
  for (std::size_t i = 0; added && *added && how && i < in.size(); ++i) {
    const std::int64_t before = (*added)->before[i], after = (*added)->after[i];
    const bool whole = before == 0 && after == 0;
    if (!in[i].is_known() || before < 0 || after < 0 || (!whole && *how != Mode::constant)) continue;
    AxisLink link{.input_axis = static_cast<int>(i),
                  .output_axis = static_cast<int>(i),
                  .output_offset = before,
                  .count = in[i].size};
    axes.links.push_back(link);
    link.input_offset = -1; // made of nothing
    link.stride = 0;
    for (const auto &[offset, count] : {std::pair{std::int64_t{0}, before}, std::pair{before + in[i].size, after}}) {
      link.output_offset = offset;
      link.count = count;
      axes.links.push_back(link);
    }
  }
  return axes;
}

/// Pads as many as stay.
Result<Recut> recut(const CutArgs &args) {
  const Shape &in = *args.input(0)->shape;
  EDGEC_ASSIGN(const auto added, pads(args, in.size()));
  IntsOperand given = ints_operand(args, "pads", 1);
  Recut out;
  if (!added || !given.values) return out;
  std::vector<std::int64_t> &values = *given.values;
  const std::size_t half = values.size() / 2;
  const auto chosen = known_ints(args, 3);
  for (std::size_t k = 0; k < half; ++k) {
    EDGEC_ASSIGN(const int axis,
                 normalize_axis(chosen ? (*chosen)[k] : static_cast<std::int64_t>(k), static_cast<int>(in.size())));
    const AxisCut *cut = args.cut(true, 0, axis);
    if (!cut) continue;
    const std::int64_t first = values[k], last = first + in[static_cast<std::size_t>(axis)].size;
    values[k] = std::ranges::count_if(cut->kept, [&](std::int64_t i) { return i < first; });
    values[k + half] = std::ranges::count_if(cut->kept, [&](std::int64_t i) { return i >= last; });
  }
  if (args.node.attribute("pads"))
    out.attributes.push_back({"pads", values});
  else
    out.operands.emplace_back(1, row_of(std::move(values)));
  return out;
}

const OpDef defs[] = {{.name = "Pad",
                       .summary = "elements added at the ends of axes",
                       .moves_data = true,
                       .quant = QuantRule::same_scale,
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare,
                       .axes = axes,
                       .recut = recut,
                       .codes_since = 0}};

} // namespace

std::span<const OpDef> pad() { return defs; }

} // namespace edgec::ops
