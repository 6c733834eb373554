// Operators whose result's size depends on values: TopK, NonZero, Compress, Unique.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "ops/shared/elements.h"
#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

// ---- TopK

Result<std::vector<Type>> infer_topk(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype), Type::tensor(DType::int64)};
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", -1), static_cast<int>(in.shape->size())));
  std::optional<std::int64_t> k;
  if (args.node.attribute("k"))
    k = args.node.get_int("k", 0);
  else if (const auto known = known_ints(args, 1); known && known->size() == 1)
    k = (*known)[0];
  Shape out = *in.shape;
  Dim &dim = out[static_cast<std::size_t>(axis)];
  if (k && (*k < 0 || (dim.is_known() && *k > dim.size)))
    return bad_input(fmt::format("k is {} on an axis of size {}", *k, dim.size));
  dim = k ? Dim::known(*k) : Dim::unknown();
  return std::vector<Type>{Type::tensor(in.dtype, out), Type::tensor(DType::int64, out)};
}

Result<std::vector<RuntimeValue>> topk_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_topk));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", -1), in.rank()));
  const auto at = static_cast<std::size_t>(axis);
  const Dims dims = *types[0].concrete();
  const std::int64_t count = in.dims[at], k = dims[at], inner = product(in.dims, at + 1, in.dims.size()),
                     outer = product(in.dims, 0, at);
  const bool largest = args.node.get_int("largest", 1) != 0;
  std::vector<std::int64_t> indices(static_cast<std::size_t>(*element_count(dims))), sources(indices.size());
  with_arithmetic(in.dtype, [&](auto zero) {
    const Elements<decltype(zero)> x(in);
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i) {
        std::vector<std::int64_t> order(static_cast<std::size_t>(count));
        std::iota(order.begin(), order.end(), 0);
        const auto value = [&](std::int64_t n) { return x[static_cast<std::size_t>((o * count + n) * inner + i)]; };
        const auto before = [&](std::int64_t a, std::int64_t b) { // equal ones in order of their index
          const auto left = value(a), right = value(b);
          if (left == right || left != left || right != right)
            return left != left && right == right ? largest : right != right && left == left ? !largest : a < b;
          return largest ? left > right : left < right;
        };
        std::partial_sort(order.begin(), order.begin() + k, order.end(), before);
        for (std::int64_t n = 0; n < k; ++n) {
          const auto to = static_cast<std::size_t>((o * k + n) * inner + i);
          indices[to] = order[static_cast<std::size_t>(n)];
          sources[to] = (o * count + indices[to]) * inner + i;
        }
      }
  });
  auto outputs = one(take_elements(in, dims, sources));
  outputs.emplace_back(Tensor::of(dims, std::move(indices)));
  return outputs;
}

// ---- NonZero: the coordinates of elements that are not zero, [rank, count]

Result<std::vector<Type>> infer_nonzero(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  const Dim rank = in.shape ? Dim::known(static_cast<std::int64_t>(in.shape->size())) : Dim::unknown();
  return std::vector<Type>{Type::tensor(DType::int64, Shape{rank, Dim::unknown()})};
}

Result<std::vector<RuntimeValue>> nonzero_reference(const EvalArgs &args) {
  if (!args.input(0)) return bad_input("needs an operand");
  const Tensor &in = *args.inputs[0];
  const auto values = to_doubles(in);
  std::vector<std::int64_t> found;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (values[i] != 0) found.push_back(static_cast<std::int64_t>(i));
  std::vector<std::int64_t> out;
  const auto steps = strides(in.dims);
  for (std::size_t k = 0; k < in.dims.size(); ++k)
    for (const std::int64_t i : found) out.push_back(i / steps[k] % in.dims[k]);
  return one(Tensor::of({in.rank(), static_cast<std::int64_t>(found.size())}, std::move(out)));
}

// ---- Compress: slices of an axis (or elements of all) where the condition holds

Result<std::vector<Type>> infer_compress(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Type &in = *args.input(0);
  if (!args.node.attribute("axis")) return std::vector<Type>{Type::tensor(in.dtype, Shape{Dim::unknown()})};
  if (!in.shape) return std::vector<Type>{Type::tensor(in.dtype)};
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), static_cast<int>(in.shape->size())));
  Shape out = *in.shape;
  out[static_cast<std::size_t>(axis)] = Dim::unknown();
  return std::vector<Type>{Type::tensor(in.dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> compress_reference(const EvalArgs &args) {
  if (!args.input(0) || !args.input(1)) return bad_input("needs an operand and a condition");
  const Tensor &in = *args.inputs[0];
  Dims dims{in.size()};
  std::size_t at = 0;
  if (args.node.attribute("axis")) {
    EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), in.rank()));
    dims = in.dims;
    at = static_cast<std::size_t>(axis);
  }
  const std::int64_t count = dims[at], inner = product(dims, at + 1, dims.size()), outer = product(dims, 0, at);
  std::vector<std::int64_t> chosen;
  const auto condition = to_int64s(*args.inputs[1]);
  for (std::size_t i = 0; i < condition.size() && static_cast<std::int64_t>(i) < count; ++i)
    if (condition[i] != 0) chosen.push_back(static_cast<std::int64_t>(i));
  std::vector<std::int64_t> sources;
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t k : chosen)
      for (std::int64_t i = 0; i < inner; ++i) sources.push_back((o * count + k) * inner + i);
  dims[at] = static_cast<std::int64_t>(chosen.size());
  return one(take_elements(in, dims, sources));
}

// ---- Unique: distinct slices of an axis (or elements), where they first stand, which one each is, how often

Result<std::vector<Type>> infer_unique(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0), list = Type::tensor(DType::int64, Shape{Dim::unknown()});
  std::vector<Type> types{Type::tensor(in.dtype, Shape{Dim::unknown()}), list, list, list};
  if (!args.node.attribute("axis")) return types;
  types[0].shape = in.shape;
  if (!in.shape) return types;
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), static_cast<int>(in.shape->size())));
  (*types[0].shape)[static_cast<std::size_t>(axis)] = Dim::unknown();
  return types;
}

Tensor list(const std::vector<std::int64_t> &values) {
  return Tensor::of({static_cast<std::int64_t>(values.size())}, values);
}

Result<std::vector<RuntimeValue>> unique_reference(const EvalArgs &args) {
  if (!args.input(0)) return bad_input("needs an operand");
  const Tensor &in = *args.inputs[0];
  Dims dims{in.size()};
  std::size_t at = 0;
  if (args.node.attribute("axis")) {
    EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), in.rank()));
    dims = in.dims;
    at = static_cast<std::size_t>(axis);
  }
  const std::int64_t count = dims[at], inner = product(dims, at + 1, dims.size()), outer = product(dims, 0, at);
  std::vector<double> keys; // strings as their rank among all
  if (in.dtype == DType::string) {
    std::vector<std::string> sorted = *in.strings;
    std::ranges::sort(sorted);
    for (const std::string &text : *in.strings)
      keys.push_back(static_cast<double>(std::ranges::lower_bound(sorted, text) - sorted.begin()));
  } else {
    keys = to_doubles(in);
  }
  const auto slice = [&](std::int64_t k) {
    std::vector<double> values;
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i)
        values.push_back(keys[static_cast<std::size_t>((o * count + k) * inner + i)]);
    return values;
  };
  std::vector<std::vector<double>> slices;
  for (std::int64_t k = 0; k < count; ++k) slices.push_back(slice(k));
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) {
    return slices[static_cast<std::size_t>(a)] < slices[static_cast<std::size_t>(b)];
  });
  std::vector<std::int64_t> first, counts, which(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto k = static_cast<std::size_t>(order[i]);
    if (i == 0 || slices[k] != slices[static_cast<std::size_t>(order[i - 1])]) {
      first.push_back(order[i]);
      counts.push_back(0);
    }
    ++counts.back();
    which[k] = static_cast<std::int64_t>(first.size()) - 1;
  }
  if (args.node.get_int("sorted", 1) == 0) { // in order of first appearance
    std::vector<std::int64_t> rank(first.size());
    std::iota(rank.begin(), rank.end(), 0);
    std::ranges::sort(rank, {}, [&](std::int64_t r) { return first[static_cast<std::size_t>(r)]; });
    std::vector<std::int64_t> place(rank.size()), sorted_first, sorted_counts;
    for (std::size_t i = 0; i < rank.size(); ++i) {
      place[static_cast<std::size_t>(rank[i])] = static_cast<std::int64_t>(i);
      sorted_first.push_back(first[static_cast<std::size_t>(rank[i])]);
      sorted_counts.push_back(counts[static_cast<std::size_t>(rank[i])]);
    }
    for (std::int64_t &w : which) w = place[static_cast<std::size_t>(w)];
    first = std::move(sorted_first);
    counts = std::move(sorted_counts);
  }
  std::vector<std::int64_t> sources;
  for (std::int64_t o = 0; o < outer; ++o)
    for (const std::int64_t k : first)
      for (std::int64_t i = 0; i < inner; ++i) sources.push_back((o * count + k) * inner + i);
  dims[at] = static_cast<std::int64_t>(first.size());
  auto outputs = one(take_elements(in, dims, sources));
  for (const auto &values : {first, which, counts}) outputs.emplace_back(list(values));
  return outputs;
}

OpDef selecting(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
                decltype(OpDef::reference) reference) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .quant = QuantRule::not_data,
          .infer = infer,
          .reference = reference};
}

const OpDef defs[] = {
    selecting("TopK", 1, "the k largest or smallest elements of an axis and their indices", infer_topk, topk_reference),
    selecting("NonZero", 9, "coordinates of elements that are not zero", infer_nonzero, nonzero_reference),
    selecting("Compress", 9, "slices where a condition holds", infer_compress, compress_reference),
    selecting("Unique", 11, "distinct slices", infer_unique, unique_reference),
};

} // namespace

std::span<const OpDef> select() { return defs; }

} // namespace edgec::ops
