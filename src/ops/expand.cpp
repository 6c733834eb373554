// Expand, Tile: elements repeated.
#include <algorithm>

#include <fmt/format.h>

#include "ops/shared/broadcast.h"
#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer_expand(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0);
  std::optional<Shape> target;
  if (const auto sizes = known_ints(args, 1)) {
    for (const std::int64_t size : *sizes)
      if (size < 0) return bad_input(fmt::format("a dim of {}", size));
    target = Type::tensor(in.dtype, *sizes).shape;
  } else if (args.dims.size() > 1 && args.dims[1]) {
    target = *args.dims[1];
  }
  if (in.shape && target) {
    EDGEC_ASSIGN(Shape out, broadcast(*in.shape, *target));
    return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
  }
  const auto rank = args.input(1)->concrete();
  if (!in.shape || !rank || rank->size() != 1 || (*rank)[0] > 64) return std::vector<Type>{Type::tensor(in.dtype)};
  return std::vector<Type>{
      Type::tensor(in.dtype, Shape(std::max(in.shape->size(), static_cast<std::size_t>((*rank)[0]))))};
}

Tensor repeated(const Tensor &in, const Dims &dims, const std::vector<std::int64_t> &steps, const Dims &result) {
  const Cells cells(in);
  auto out = cells.space(dims);
  if (!out.empty()) copy_strided(cells.data(), dims, steps, out.data(), cells.width());
  return cells.finish(result, std::move(out));
}

Result<std::vector<RuntimeValue>> expand_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_expand));
  const Tensor &in = *args.inputs[0];
  const Dims dims = *types[0].concrete();
  auto steps = strides(in.dims);
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (in.dims[i] == 1) steps[i] = 0;
  steps.insert(steps.begin(), dims.size() - in.dims.size(), 0);
  return one(repeated(in, dims, steps, dims));
}

Result<std::vector<Type>> infer_tile(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  Shape out(in.shape->size());
  if (const auto repeats = known_ints(args, 1)) {
    if (repeats->size() != out.size())
      return bad_input(fmt::format("{} repeats for rank {}", repeats->size(), out.size()));
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Dim &dim = (*in.shape)[i];
      std::int64_t size = 0;
      if ((*repeats)[i] < 0) return bad_input(fmt::format("a repeat of {}", (*repeats)[i]));
      if ((*repeats)[i] == 1)
        out[i] = dim;
      else if (dim.is_known() && !__builtin_mul_overflow(dim.size, (*repeats)[i], &size))
        out[i] = Dim::known(size);
    }
  }
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

/// Every axis becomes two: the repeats, and the operand's own.
Result<std::vector<RuntimeValue>> tile_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_tile));
  const Tensor &in = *args.inputs[0];
  const auto repeats = to_int64s(*args.inputs[1]);
  const auto own = strides(in.dims);
  Dims dims;
  std::vector<std::int64_t> steps;
  for (std::size_t i = 0; i < in.dims.size(); ++i) {
    dims.insert(dims.end(), {repeats[i], in.dims[i]});
    steps.insert(steps.end(), {0, own[i]});
  }
  return one(repeated(in, dims, steps, *types[0].concrete()));
}

/// Expand's shape, where it names a size that changed.
Result<Recut> recut(const CutArgs &args) {
  Recut out;
  auto shape = args.node.op == "Expand" ? known_ints(args, 1) : std::nullopt;
  const int rank = args.output()->rank().value_or(0);
  if (!shape || rank < static_cast<int>(shape->size())) return out;
  const int missing = rank - static_cast<int>(shape->size());
  for (std::size_t i = 0; i < shape->size(); ++i)
    if (const AxisCut *cut = args.cut(true, 0, static_cast<int>(i) + missing); cut && (*shape)[i] > 1)
      (*shape)[i] = static_cast<std::int64_t>(cut->kept.size());
  out.operands.emplace_back(1, row_of(std::move(*shape)));
  return out;
}

OpDef repeating(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
                decltype(OpDef::reference) reference) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .moves_data = true,
          .quant = QuantRule::same_scale,
          .infer = infer,
          .reference = reference,
          .axes = first_operand_axes,
          .recut = recut,
          .codes_since = since};
}

const OpDef defs[] = {repeating("Expand", 8, "broadcast to a shape", infer_expand, expand_reference),
                      repeating("Tile", 6, "repeated along each axis", infer_tile, tile_reference)};

} // namespace

std::span<const OpDef> expand() { return defs; }

} // namespace edgec::ops
