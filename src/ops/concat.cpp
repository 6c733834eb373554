// Concat: operands one after another along an axis.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  if (args.inputs.empty()) return bad_input("needs at least one operand");
  EDGEC_CHECK(require(args, args.inputs.size()));
  Type out = Type::tensor(DType::undefined);
  Dim total = Dim::known(0);
  std::optional<int> axis;
  for (const Type *type : args.inputs) {
    if (out.dtype == DType::undefined)
      out.dtype = type->dtype;
    else if (type->dtype != DType::undefined && type->dtype != out.dtype)
      return bad_input(
          fmt::format("operands have different element types, {} and {}", name(out.dtype), name(type->dtype)));
    if (!type->shape) {
      total = Dim::unknown();
      continue;
    }
    if (!out.shape) {
      EDGEC_ASSIGN(axis, normalize_axis(args.node.get_int("axis", 1), static_cast<int>(type->shape->size())));
      out.shape = type->shape;
    }
    if (type->shape->size() != out.shape->size())
      return bad_input(fmt::format("operands have ranks {} and {}", out.shape->size(), type->shape->size()));
    for (std::size_t i = 0; i < type->shape->size(); ++i) {
      const Dim &dim = (*type->shape)[i];
      Dim &known = (*out.shape)[i];
      if (static_cast<int>(i) == *axis) {
        total = total.is_known() && dim.is_known() ? Dim::known(total.size + dim.size)
                : args.inputs.size() == 1          ? dim
                                                   : Dim::unknown();
      } else if (dim.is_known() && known.is_known() && dim.size != known.size) {
        return bad_input(fmt::format("axis {} has sizes {} and {}", i, known.size, dim.size));
      } else if (dim.is_known() || (!known.is_known() && known.symbol.empty())) {
        known = dim;
      }
    }
  }
  if (out.shape) (*out.shape)[static_cast<std::size_t>(*axis)] = total;
  return std::vector<Type>{out};
}

Result<int> concat_axis(const Node &node, std::size_t rank) {
  return normalize_axis(node.get_int("axis", 1), static_cast<int>(rank));
}

/// Tables from each operand's codes to the result's; empty where nothing is quantized. Unsupported: other than 8-bit
/// codes of one type with one scale each.
Result<std::vector<CodeTable>> tables(std::span<const Type *const> inputs, const Type *output) {
  const auto quantized = [](const Type *type) { return type && type->quant; };
  std::vector<CodeTable> found;
  if (std::ranges::none_of(inputs, quantized) && !quantized(output)) return found;
  const auto to = codes(output);
  for (const Type *type : inputs) {
    const auto from = codes(type);
    if (!from || !to || from->dtype != to->dtype) return unsupported("only 8-bit codes of one type, one scale each");
    found.push_back(requantize_table(*from, *to));
  }
  return found;
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Dims dims = *types[0].concrete();
  EDGEC_ASSIGN(const int axis, concat_axis(args.node, dims.size()));
  EDGEC_ASSIGN(const auto requantized,
               tables(args.input_types, args.output_types.empty() ? nullptr : args.output_types[0]));
  const Cells cells(args.inputs);
  auto out = cells.space(dims);
  const auto steps = strides(dims);
  const std::size_t width = cells.width();
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < args.inputs.size(); ++i) {
    std::vector<std::byte> moved;
    if (!requantized.empty()) {
      moved.resize(args.inputs[i]->data.size());
      apply_table(requantized[i], cells.data(i), moved.data(), static_cast<std::int64_t>(moved.size()), {});
    }
    const std::int64_t start = offset * steps[static_cast<std::size_t>(axis)];
    scatter_strided(moved.empty() ? cells.data(i) : moved.data(), args.inputs[i]->dims, steps,
                    out.data() + static_cast<std::size_t>(start) * width, width);
    offset += args.inputs[i]->dims[static_cast<std::size_t>(axis)];
  }
  return one(cells.finish(dims, std::move(out)));
}

/// Copies (or looks up) blocks: what an operand holds from the axis inwards, in the layout of most operands.
Result<Kernel> prepare(const PrepareArgs &args) {
  const Type &out = *args.outputs[0];
  if (std::ranges::any_of(args.inputs, [](const Type *type) { return !type; })) return unsupported("a missing operand");
  EDGEC_ASSIGN(auto requantized, tables(args.inputs, &out));
  if (std::ranges::all_of(requantized, is_identity)) requantized.clear();
  const Dims dims = *out.concrete();
  EDGEC_ASSIGN(const int axis, concat_axis(args.node, dims.size()));
  const auto last = std::ranges::count(args.layouts, Layout::channels_last);
  const Layout layout = dims.size() > 2 && !layouts_agree(dims) && 2 * last >= std::ssize(args.layouts)
                            ? Layout::channels_last
                            : Layout::plain;
  Kernel kernel{std::vector<Layout>(args.inputs.size(), layout), layout, 0, 0,
                requantized.empty() ? "copy" : "table",          nullptr};
  const Dims order = in_memory_order(dims, layout);
  std::size_t at = static_cast<std::size_t>(axis);
  if (layout == Layout::channels_last && at > 0) at = axis == 1 ? order.size() - 1 : at - 1;
  const std::int64_t width = bits(out.dtype) / 8, outer = product(order, 0, at);
  std::vector<std::int64_t> blocks; // bytes
  std::int64_t row = 0;
  for (const Type *type : args.inputs) {
    blocks.push_back((*type->concrete())[static_cast<std::size_t>(axis)] * product(order, at + 1, order.size()) *
                     width);
    row += blocks.back();
  }
  kernel.run = [requantized, blocks, row, outer, how = Run{args.isa, args.threads}](const KernelIo &io) {
    std::byte *to = io.outputs[0];
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (requantized.empty())
        copy_rows(io.inputs[i], to, outer, blocks[i], row, how);
      else
        apply_table_rows(requantized[i], io.inputs[i], to, outer, blocks[i], row, how);
      to += blocks[i];
    }
  };
  return kernel;
}

Axes axes(const AxisArgs &args) {
  Axes found;
  std::vector<AxisLink> &links = found.links;
  const Type *out = args.output();
  if (!out || !out->shape) return found;
  const auto axis = normalize_axis(args.node.get_int("axis", 1), static_cast<int>(out->shape->size()));
  if (!axis) return found;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < args.inputs.size(); ++i) {
    const Type *in = args.input(i);
    if (!in || !in->shape || in->shape->size() != out->shape->size()) return {};
    for (const AxisLink &link : same_axes(i, *in, *out))
      if (link.input_axis != *axis) links.push_back(link);
    const Dim &dim = (*in->shape)[static_cast<std::size_t>(*axis)];
    if (!dim.is_known()) return {};
    links.push_back(
        {.input = i, .input_axis = *axis, .output_axis = *axis, .output_offset = offset, .count = dim.size});
    offset += dim.size;
  }
  return found;
}

const OpDef defs[] = {{.name = "Concat",
                       .summary = "operands one after another along an axis",
                       .integer_reference = true,
                       .moves_data = true,
                       .quant = QuantRule::same_scale,
                       .data_operands = OperandSet::all(),
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare,
                       .axes = axes,
                       .codes_since = 4}};

} // namespace

std::span<const OpDef> concat() { return defs; }

} // namespace edgec::ops
