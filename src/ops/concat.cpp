// Concat: operands one after another along an axis.
#include <fmt/format.h>

#include "ops/_move.h"
#include "ops/_shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  if (args.inputs.empty()) return bad_input("needs at least one operand");
  EDGEC_CHECK(require(args, args.inputs.size()));
  Type out = Type::tensor(DType::undefined);
  Dim total = Dim::known(0);
  std::optional<int> axis;
  for (const Type *type : args.inputs) {
    if (out.dtype == DType::undefined) out.dtype = type->dtype;
    else if (type->dtype != DType::undefined && type->dtype != out.dtype)
      return bad_input(fmt::format("operands have different element types, {} and {}", name(out.dtype), name(type->dtype)));
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
        total = total.is_known() && dim.is_known() ? Dim::known(total.size + dim.size) : args.inputs.size() == 1 ? dim : Dim::unknown();
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

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Dims dims = *types[0].concrete();
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 1), static_cast<int>(dims.size())));
  const Cells cells(args.inputs);
  auto out = cells.space(dims);
  const auto steps = strides(dims);
  const std::size_t width = cells.width();
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < args.inputs.size(); ++i) {
    const std::int64_t start = offset * steps[static_cast<std::size_t>(axis)];
    scatter_strided(cells.data(i), args.inputs[i]->dims, steps, out.data() + static_cast<std::size_t>(start) * width, width);
    offset += args.inputs[i]->dims[static_cast<std::size_t>(axis)];
  }
  return one(cells.finish(dims, std::move(out)));
}

std::vector<AxisLink> axes(const Node &node, std::span<const Type *const> inputs, std::span<const Type *const> outputs) {
  std::vector<AxisLink> links;
  if (outputs.empty() || !outputs[0] || !outputs[0]->shape) return links;
  const auto axis = normalize_axis(node.get_int("axis", 1), static_cast<int>(outputs[0]->shape->size()));
  if (!axis) return links;
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i] || !inputs[i]->shape) return links;
    for (const AxisLink &link : same_axes(i, *inputs[i], *outputs[0]))
      if (link.input_axis != *axis) links.push_back(link);
    const Dim &dim = (*inputs[i]->shape)[static_cast<std::size_t>(*axis)];
    if (!dim.is_known()) return links;
    links.push_back({.input = i, .input_axis = *axis, .output_axis = *axis, .output_offset = offset, .count = dim.size});
    offset += dim.size;
  }
  return links;
}

constexpr int every[] = {-1};
const OpDef defs[] = {{.name = "Concat",
                       .summary = "operands one after another along an axis",
                       .moves_data = true,
                       .quant = QuantRule::same_scale,
                       .data_operands = every,
                       .infer = infer,
                       .reference = reference,
                       .axes = axes,
                       .codes_since = 4}};

} // namespace

std::span<const OpDef> concat() { return defs; }

} // namespace edgec::ops
