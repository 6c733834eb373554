// ScatterElements (and Scatter, its old name), ScatterND, TensorScatter: elements put at indices.
#include <cstring>

#include <fmt/format.h>

#include "ops/shared/elements.h"
#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

enum class Reduction { none, add, mul, max, min };

Result<Reduction> reduction(const Node &node) {
  const std::string name = node.get_string("reduction", "none");
  if (name == "none") return Reduction::none;
  if (name == "add") return Reduction::add;
  if (name == "mul") return Reduction::mul;
  if (name == "max") return Reduction::max;
  if (name == "min") return Reduction::min;
  return bad_input(fmt::format("reduction is \"{}\", expected none, add, mul, max or min", name));
}

template <class T>
T reduced(Reduction how, T before, T update) {
  switch (how) {
  case Reduction::add: return static_cast<T>(before + update);
  case Reduction::mul: return static_cast<T>(before * update);
  case Reduction::max: return before > update ? before : update;
  case Reduction::min: return before < update ? before : update;
  case Reduction::none: break;
  }
  return update;
}

/// data with updates[i] put at targets[i], in order.
Tensor scattered(const Tensor &data, const Tensor &updates, const std::vector<std::int64_t> &targets, Reduction how) {
  if (how == Reduction::none) {
    const Tensor *operands[] = {&data, &updates};
    const Cells cells(operands);
    const std::size_t width = cells.width();
    auto out = cells.space(data.dims);
    if (!out.empty()) std::memcpy(out.data(), cells.data(0), out.size());
    for (std::size_t i = 0; i < targets.size(); ++i)
      std::memcpy(&out[static_cast<std::size_t>(targets[i]) * width], cells.data(1) + i * width, width);
    return cells.finish(data.dims, std::move(out));
  }
  return with_arithmetic(data.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Elements<T> before(data), change(updates);
    std::vector<T> out(before.begin(), before.end());
    for (std::size_t i = 0; i < targets.size(); ++i) {
      T &element = out[static_cast<std::size_t>(targets[i])];
      element = reduced(how, element, change[i]);
    }
    return make_tensor(data.dtype, data.dims, std::move(out));
  });
}

Result<std::int64_t> index_of(std::int64_t index, std::int64_t size) {
  if (index < -size || index >= size)
    return bad_input(fmt::format("index {} is outside an axis of size {}", index, size));
  return index < 0 ? index + size : index;
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  const DType data = args.input(0)->dtype, updates = args.input(2)->dtype;
  if (data != updates && data != DType::undefined && updates != DType::undefined)
    return bad_input(
        fmt::format("data and updates have different element types, {} and {}", name(data), name(updates)));
  return infer_same(args);
}

Result<std::vector<RuntimeValue>> elements_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &data = *args.inputs[0], &indices = *args.inputs[1], &updates = *args.inputs[2];
  EDGEC_ASSIGN(const Reduction how, reduction(args.node));
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), data.rank()));
  if (indices.dims != updates.dims || indices.rank() != data.rank())
    return bad_input("indices and updates must have one shape, of data's rank");
  const auto to = strides(data.dims), from = strides(indices.dims);
  auto targets = to_int64s(indices);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    std::int64_t target = 0;
    for (std::size_t k = 0; k < to.size(); ++k) {
      std::int64_t at =
          static_cast<int>(k) == axis ? targets[i] : static_cast<std::int64_t>(i) / from[k] % indices.dims[k];
      EDGEC_ASSIGN(at, index_of(at, data.dims[k]));
      target += at * to[k];
    }
    targets[i] = target;
  }
  return one(scattered(data, updates, targets, how));
}

Result<std::vector<RuntimeValue>> nd_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &data = *args.inputs[0], &indices = *args.inputs[1], &updates = *args.inputs[2];
  EDGEC_ASSIGN(const Reduction how, reduction(args.node));
  if (indices.rank() < 1 || indices.dims.back() > data.rank())
    return bad_input("indices must hold coordinates of data");
  const auto coordinates = static_cast<std::size_t>(indices.dims.back());
  const std::int64_t slice = product(data.dims, coordinates, data.dims.size()),
                     tuples = product(indices.dims, 0, indices.dims.size() - 1);
  if (updates.size() != tuples * slice)
    return bad_input(fmt::format("{} updates, expected {}", updates.size(), tuples * slice));
  const auto to = strides(data.dims);
  const auto values = to_int64s(indices);
  std::vector<std::int64_t> targets;
  for (std::int64_t t = 0; t < tuples; ++t) {
    std::int64_t start = 0;
    for (std::size_t k = 0; k < coordinates; ++k) {
      EDGEC_ASSIGN(const std::int64_t at,
                   index_of(values[static_cast<std::size_t>(t) * coordinates + k], data.dims[k]));
      start += at * to[k];
    }
    for (std::int64_t i = 0; i < slice; ++i) targets.push_back(start + i);
  }
  return one(scattered(data, updates, targets, how));
}

// ---- TensorScatter: a cache [batch, ..., length, ...] gets an update at the write index of each batch

Result<std::vector<Type>> infer_cache(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  return infer_same(args);
}

Result<std::vector<RuntimeValue>> cache_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_cache));
  const Tensor &cache = *args.inputs[0], &update = *args.inputs[1];
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", -2), cache.rank()));
  const auto at = static_cast<std::size_t>(axis);
  if (update.rank() != cache.rank() || at == 0)
    return bad_input("the update must have the cache's rank, and the axis not be the batch");
  for (std::size_t i = 0; i < cache.dims.size(); ++i)
    if (i != at && update.dims[i] != cache.dims[i])
      return bad_input(fmt::format("axis {} has sizes {} and {}", i, cache.dims[i], update.dims[i]));
  const bool circular = args.node.get_string("mode", "linear") == "circular";
  const auto writes = args.input(2) ? to_int64s(*args.inputs[2])
                                    : std::vector<std::int64_t>(static_cast<std::size_t>(cache.dims[0]), 0);
  if (static_cast<std::int64_t>(writes.size()) != cache.dims[0]) return bad_input("one write index a batch is needed");
  const auto to = strides(cache.dims), from = strides(update.dims);
  std::vector<std::int64_t> targets;
  for (std::int64_t i = 0; i < update.size(); ++i) {
    std::int64_t target = 0;
    for (std::size_t k = 0; k < to.size(); ++k) {
      std::int64_t index = i / from[k] % update.dims[k];
      if (k == at) index += writes[static_cast<std::size_t>(i / from[0] % update.dims[0])];
      if (k == at && circular && cache.dims[k] > 0) index = (index % cache.dims[k] + cache.dims[k]) % cache.dims[k];
      if (index < 0 || index >= cache.dims[k])
        return bad_input(fmt::format("index {} is outside an axis of size {}", index, cache.dims[k]));
      target += index * to[k];
    }
    targets.push_back(target);
  }
  return one(scattered(cache, update, targets, Reduction::none));
}

OpDef scattering(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
                 decltype(OpDef::reference) reference) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .data_operands = {0, 2},
          .infer = infer,
          .reference = reference};
}

const OpDef defs[] = {
    scattering("Scatter", 9, "elements put at indices along an axis", infer, elements_reference),
    scattering("ScatterElements", 11, "elements put at indices along an axis", infer, elements_reference),
    scattering("ScatterND", 11, "slices put at coordinates", infer, nd_reference),
    scattering("TensorScatter", 24, "an update put into a cache", infer_cache, cache_reference),
};

} // namespace

std::span<const OpDef> scatter() { return defs; }

} // namespace edgec::ops
