// Transpose: axes in another order.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

/// The `perm` attribute, by default the axes reversed; output axis i is input axis perm[i].
Result<std::vector<int>> permutation(const Node &node, std::size_t rank) {
  std::vector<int> perm(rank);
  const auto *given = node.get<std::vector<std::int64_t>>("perm");
  if (!given || (given->empty() && rank > 0)) {
    std::iota(perm.rbegin(), perm.rend(), 0);
    return perm;
  }
  if (given->size() != rank) return bad_input(fmt::format("perm has {} axes, the operand {}", given->size(), rank));
  return normalize_axes(*given, static_cast<int>(rank));
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  EDGEC_ASSIGN(const auto perm, permutation(args.node, in.shape->size()));
  Shape out;
  for (const int axis : perm) out.push_back((*in.shape)[static_cast<std::size_t>(axis)]);
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const auto perm, permutation(args.node, in.dims.size()));
  const auto from = strides(in.dims);
  std::vector<std::int64_t> steps;
  for (const int axis : perm) steps.push_back(from[static_cast<std::size_t>(axis)]);
  const Dims dims = *types[0].concrete();
  const Cells cells(in);
  auto out = cells.space(dims);
  copy_strided(cells.data(), dims, steps, out.data(), cells.width());
  return one(cells.finish(dims, std::move(out)));
}

/// From whichever layout the operand lies in, to plain.
Result<Kernel> prepare(const PrepareArgs &args) {
  EDGEC_CHECK(prepare_copy(args)); // same type and scale
  const Dims dims = *args.inputs[0]->concrete();
  EDGEC_ASSIGN(const auto perm, permutation(args.node, dims.size()));
  const auto from = strides_in(dims, args.layouts[0]);
  std::vector<std::int64_t> steps;
  for (const int axis : perm) steps.push_back(from[static_cast<std::size_t>(axis)]);
  Kernel kernel{{args.layouts[0]}, Layout::plain, 0, 0, "copy", nullptr};
  const auto width = static_cast<std::size_t>(bits(args.inputs[0]->dtype)) / 8;
  kernel.run = [out = *args.outputs[0]->concrete(), steps, width, threads = args.threads](const KernelIo &io) {
    copy_strided(io.inputs[0], out, steps, io.outputs[0], width, threads);
  };
  return kernel;
}

Axes axes(const AxisArgs &args) {
  Axes axes;
  if (!args.input(0) || !args.input(0)->shape) return axes;
  const auto perm = permutation(args.node, args.input(0)->shape->size());
  for (std::size_t i = 0; perm && i < perm->size(); ++i) {
    const Dim &dim = (*args.input(0)->shape)[static_cast<std::size_t>((*perm)[i])];
    if (dim.is_known())
      axes.links.push_back({.input_axis = (*perm)[i], .output_axis = static_cast<int>(i), .count = dim.size});
  }
  return axes;
}

const OpDef defs[] = {{.name = "Transpose",
                       .summary = "axes in another order",
                       .moves_data = true,
                       .quant = QuantRule::same_scale,
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare,
                       .axes = axes,
                       .codes_since = 1}};

} // namespace

std::span<const OpDef> transpose() { return defs; }

} // namespace edgec::ops
