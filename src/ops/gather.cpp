// Gather, GatherElements, GatherND: elements chosen by indices.
#include <algorithm>

#include <cstring>

#include <fmt/format.h>

#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::int64_t> index_of(std::int64_t index, std::int64_t size) {
  if (index < -size || index >= size)
    return bad_input(fmt::format("index {} is outside an axis of size {}", index, size));
  return index < 0 ? index + size : index;
}

Result<std::vector<Type>> infer_gather(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0), &indices = *args.input(1);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), static_cast<int>(in.shape->size())));
  if (!indices.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  Shape out(in.shape->begin(), in.shape->begin() + axis);
  out.insert(out.end(), indices.shape->begin(), indices.shape->end());
  out.insert(out.end(), in.shape->begin() + axis + 1, in.shape->end());
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> gather_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_gather));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), in.rank()));
  const auto at = static_cast<std::size_t>(axis);
  const auto indices = to_int64s(*args.inputs[1]);
  const Dims dims = *types[0].concrete();
  const Cells cells(in);
  auto out = cells.space(dims);
  const auto row = static_cast<std::size_t>(product(in.dims, at + 1, in.dims.size())) * cells.width();
  const std::int64_t outer = product(in.dims, 0, at);
  std::byte *to = out.data();
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t index : indices) {
      EDGEC_ASSIGN(const std::int64_t i, index_of(index, in.dims[at]));
      if (row > 0) std::memcpy(to, cells.data() + static_cast<std::size_t>(o * in.dims[at] + i) * row, row);
      to += row;
    }
  return one(cells.finish(dims, std::move(out)));
}

/// Axes that stay, and of the one that is picked from, where the indices are known and in one row, each index.
Axes gather_axes(const AxisArgs &args) {
  Axes axes;
  if (!args.input(0) || !args.input(0)->shape || !args.input(1) || !args.input(1)->shape) return axes;
  const Shape &in = *args.input(0)->shape;
  const int rank = static_cast<int>(in.size()), index_rank = static_cast<int>(args.input(1)->shape->size());
  const auto axis = normalize_axis(args.node.get_int("axis", 0), rank);
  if (!axis) return axes;
  for (int i = 0; i < rank; ++i) {
    const Dim &dim = in[static_cast<std::size_t>(i)];
    const int out = i < *axis ? i : i - 1 + index_rank;
    if (i != *axis && dim.is_known()) axes.links.push_back({.input_axis = i, .output_axis = out, .count = dim.size});
  }
  const auto indices = known_ints(args, 1);
  const std::int64_t size = in[static_cast<std::size_t>(*axis)].size;
  if (!indices || index_rank != 1 || size < 0) return axes;
  for (std::size_t o = 0; o < indices->size(); ++o) {
    const std::int64_t i = (*indices)[o] < 0 ? (*indices)[o] + size : (*indices)[o];
    if (i < 0 || i >= size) return {};
    axes.links.push_back({.input_axis = *axis,
                          .input_offset = i,
                          .output_axis = *axis,
                          .output_offset = static_cast<std::int64_t>(o),
                          .count = 1});
  }
  return axes;
}

/// The indices that stay, counted among those of the operand that stay.
Result<Recut> gather_recut(const CutArgs &args) {
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), args.input(0)->rank().value_or(0)));
  const AxisCut *from = args.cut(false, 0, axis), *to = args.cut(true, 0, axis);
  const auto indices = known_ints(args, 1);
  Recut out;
  if (!from || !indices) return out;
  const std::int64_t size = (*args.input(0)->shape)[static_cast<std::size_t>(axis)].size;
  std::vector<std::int64_t> kept;
  for (std::size_t o = 0; o < indices->size(); ++o) {
    if (to && !std::ranges::binary_search(to->kept, static_cast<std::int64_t>(o))) continue;
    const std::int64_t i = (*indices)[o] < 0 ? (*indices)[o] + size : (*indices)[o];
    kept.push_back(std::ranges::lower_bound(from->kept, i) - from->kept.begin());
  }
  out.operands.emplace_back(1, from_int64s(args.input(1)->dtype, {static_cast<std::int64_t>(kept.size())}, kept));
  return out;
}

// ---- GatherElements: out[i][j] = in[index[i][j]][j] for axis 0

Result<std::vector<Type>> infer_elements(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0), &indices = *args.input(1);
  if (in.shape && indices.shape && in.shape->size() != indices.shape->size())
    return bad_input(fmt::format("data has rank {}, indices {}", in.shape->size(), indices.shape->size()));
  return std::vector<Type>{Type::tensor(in.dtype, indices.shape)};
}

Result<std::vector<RuntimeValue>> elements_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_elements));
  const Tensor &in = *args.inputs[0], &indices = *args.inputs[1];
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), in.rank()));
  const auto from = strides(in.dims), to = strides(indices.dims);
  auto sources = to_int64s(indices);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    std::int64_t source = 0;
    for (std::size_t k = 0; k < from.size(); ++k) {
      std::int64_t at = static_cast<std::int64_t>(i) / to[k] % indices.dims[k];
      if (static_cast<int>(k) == axis) at = sources[i];
      EDGEC_ASSIGN(at, index_of(at, in.dims[k]));
      source += at * from[k];
    }
    sources[i] = source;
  }
  return one(take_elements(in, indices.dims, sources));
}

// ---- GatherND: the last axis of the indices holds coordinates of slices

Result<std::vector<Type>> infer_nd(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0), &indices = *args.input(1);
  if (!in.shape || !indices.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  if (in.shape->empty() || indices.shape->empty()) return bad_input("data and indices need at least one axis");
  const std::int64_t batch = args.node.get_int("batch_dims", 0);
  const Dim &coordinates = indices.shape->back();
  if (!coordinates.is_known()) return std::vector<Type>{Type::tensor(in.dtype)};
  const auto rank = static_cast<std::int64_t>(in.shape->size());
  if (batch < 0 || batch >= static_cast<std::int64_t>(indices.shape->size()) || coordinates.size > rank - batch)
    return bad_input(
        fmt::format("{} coordinates after {} batch dims for data of rank {}", coordinates.size, batch, rank));
  Shape out(indices.shape->begin(), indices.shape->end() - 1);
  out.insert(out.end(), in.shape->begin() + batch + coordinates.size, in.shape->end());
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> nd_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_nd));
  const Tensor &in = *args.inputs[0], &indices = *args.inputs[1];
  const auto batch = static_cast<std::size_t>(args.node.get_int("batch_dims", 0));
  const auto coordinates = static_cast<std::size_t>(indices.dims.back());
  for (std::size_t i = 0; i < batch; ++i)
    if (in.dims[i] != indices.dims[i])
      return bad_input(fmt::format("batch axis {} has sizes {} and {}", i, in.dims[i], indices.dims[i]));
  const auto values = to_int64s(indices);
  const auto from = strides(in.dims);
  const std::int64_t slice = product(in.dims, batch + coordinates, in.dims.size());
  const std::int64_t tuples = product(indices.dims, 0, indices.dims.size() - 1);
  const std::int64_t batches = product(indices.dims, 0, batch);
  const std::int64_t batch_size = product(in.dims, batch, in.dims.size());
  std::vector<std::int64_t> sources;
  for (std::int64_t t = 0; t < tuples; ++t) {
    std::int64_t start = t / (tuples / batches) * batch_size;
    for (std::size_t k = 0; k < coordinates; ++k) {
      EDGEC_ASSIGN(const std::int64_t at,
                   index_of(values[static_cast<std::size_t>(t) * coordinates + k], in.dims[batch + k]));
      start += at * from[batch + k];
    }
    for (std::int64_t i = 0; i < slice; ++i) sources.push_back(start + i);
  }
  return one(take_elements(in, *types[0].concrete(), sources));
}

OpDef gathering(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
                decltype(OpDef::reference) reference) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .moves_data = true,
          .quant = QuantRule::same_scale,
          .infer = infer,
          .reference = reference,
          .axes = infer == infer_gather ? gather_axes : nullptr,
          .recut = infer == infer_gather ? gather_recut : nullptr,
          .codes_since = since};
}

const OpDef defs[] = {
    gathering("Gather", 1, "slices of an axis chosen by indices", infer_gather, gather_reference),
    gathering("GatherElements", 11, "elements chosen by indices along an axis", infer_elements, elements_reference),
    gathering("GatherND", 11, "slices chosen by coordinates", infer_nd, nd_reference),
};

} // namespace

std::span<const OpDef> gather() { return defs; }

} // namespace edgec::ops
