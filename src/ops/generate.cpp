// Operators that make tensors: Range, EyeLike, OneHot, and windows of signal processing.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ops/shared/elements.h"
#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

DType dtype_attribute(const Node &node, std::string_view name, DType otherwise) {
  const std::int64_t wanted = node.get_int(name, 0);
  return wanted > 0 && wanted < dtype_count ? static_cast<DType>(wanted) : otherwise;
}

// ---- Range

/// The number of steps from start to limit; nothing for a step of zero or too many.
std::optional<std::int64_t> steps(const Tensor &start, const Tensor &limit, const Tensor &delta) {
  if (start.size() != 1 || limit.size() != 1 || delta.size() != 1) return std::nullopt;
  const double a = to_doubles(start)[0], b = to_doubles(limit)[0], d = to_doubles(delta)[0];
  const double count = std::ceil((b - a) / d);
  if (!(std::abs(count) < 0x1p31)) return std::nullopt;
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(count));
}

Result<std::vector<Type>> infer_range(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  Dim count = Dim::unknown();
  if (args.constant(0) && args.constant(1) && args.constant(2)) {
    const auto found = steps(*args.constant(0), *args.constant(1), *args.constant(2));
    if (!found)
      return bad_input("start, limit and delta must be numbers with delta not 0 and less than 2^31 steps between");
    count = Dim::known(*found);
  }
  return std::vector<Type>{Type::tensor(args.input(0)->dtype, Shape{count})};
}

Result<std::vector<RuntimeValue>> range_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_range));
  const auto count = static_cast<std::size_t>((*types[0].shape)[0].size);
  return with_arithmetic(types[0].dtype, [&](auto zero) {
    using T = decltype(zero);
    const T start = Elements<T>(*args.inputs[0])[0], delta = Elements<T>(*args.inputs[2])[0];
    std::vector<T> out(count);
    for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<T>(start + static_cast<T>(i) * delta);
    return one(make_tensor(types[0].dtype, {static_cast<std::int64_t>(count)}, std::move(out)));
  });
}

// ---- EyeLike

Result<std::vector<Type>> infer_eye(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (in.shape && in.shape->size() != 2)
    return bad_input(fmt::format("the operand has rank {}, not 2", in.shape->size()));
  return std::vector<Type>{Type::tensor(dtype_attribute(args.node, "dtype", in.dtype), in.shape)};
}

Result<std::vector<RuntimeValue>> eye_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_eye));
  const Dims &dims = args.inputs[0]->dims;
  std::vector<std::int64_t> out(static_cast<std::size_t>(dims[0] * dims[1]));
  const std::int64_t k = args.node.get_int("k", 0);
  for (std::int64_t i = 0; i < dims[0]; ++i)
    if (k > -dims[0] && k < dims[1] && i + k >= 0 && i + k < dims[1])
      out[static_cast<std::size_t>(i * dims[1] + i + k)] = 1;
  return one(from_int64s(types[0].dtype, dims, out));
}

// ---- OneHot

Result<std::vector<Type>> infer_one_hot(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  const Type &indices = *args.input(0);
  Dim depth = Dim::unknown();
  if (const Tensor *known = args.constant(1); known && known->size() == 1) {
    const std::int64_t size = to_int64s(*known)[0];
    if (size < 1) return bad_input(fmt::format("a depth of {}", size));
    depth = Dim::known(size);
  }
  if (!indices.shape) return std::vector<Type>{Type::tensor(args.input(2)->dtype)};
  EDGEC_ASSIGN(const int axis,
               normalize_axis(args.node.get_int("axis", -1), static_cast<int>(indices.shape->size()) + 1));
  Shape out = *indices.shape;
  out.insert(out.begin() + axis, depth);
  return std::vector<Type>{Type::tensor(args.input(2)->dtype, std::move(out))};
}

Result<std::vector<RuntimeValue>> one_hot_reference(const EvalArgs &args) {
  if (args.input(1) && args.input(1)->size() != 1) return bad_input("depth must be one number");
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_one_hot));
  if (args.inputs[2]->size() != 2) return bad_input("values must be the off and the on value");
  const Dims dims = *types[0].concrete();
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", -1), static_cast<int>(dims.size())));
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t depth = dims[at], inner = product(dims, at + 1, dims.size());
  const auto indices = to_int64s(*args.inputs[0]);
  std::vector<std::int64_t> sources(static_cast<std::size_t>(*element_count(dims)), 0);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] < -depth || indices[i] >= depth) continue; // all off
    const std::int64_t hot = indices[i] < 0 ? indices[i] + depth : indices[i], where = static_cast<std::int64_t>(i);
    sources[static_cast<std::size_t>((where / inner * depth + hot) * inner + where % inner)] = 1;
  }
  return one(take_elements(*args.inputs[2], dims, sources));
}

// ---- HannWindow, HammingWindow, BlackmanWindow: a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N)

Result<std::vector<Type>> infer_window(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  Dim size = Dim::unknown();
  if (const auto known = known_ints(args, 0); known && known->size() == 1) {
    if ((*known)[0] < 0) return bad_input(fmt::format("a size of {}", (*known)[0]));
    size = Dim::known((*known)[0]);
  }
  return std::vector<Type>{Type::tensor(dtype_attribute(args.node, "output_datatype", DType::float32), Shape{size})};
}

struct Hann {
  static constexpr double a[] = {0.5, 0.5, 0};
};
struct Hamming {
  static constexpr double a[] = {25.0 / 46, 1 - 25.0 / 46, 0};
};
struct Blackman {
  static constexpr double a[] = {0.42, 0.5, 0.08};
};

template <class W>
Result<std::vector<RuntimeValue>> window_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_window));
  const std::int64_t size = (*types[0].shape)[0].size;
  const double period = static_cast<double>(args.node.get_int("periodic", 1) != 0 ? size : size - 1);
  std::vector<double> out;
  for (std::int64_t i = 0; i < size; ++i) {
    const double angle = 2 * 3.14159265358979323846 * static_cast<double>(i) / period;
    out.push_back(W::a[0] - W::a[1] * std::cos(angle) + W::a[2] * std::cos(2 * angle));
  }
  return one(from_doubles(types[0].dtype, {size}, out));
}

OpDef made(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
           decltype(OpDef::reference) reference) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .quant = QuantRule::not_data,
          .infer = infer,
          .reference = reference};
}

const OpDef defs[] = {
    made("Range", 11, "numbers from start to limit", infer_range, range_reference),
    made("EyeLike", 9, "ones on a diagonal", infer_eye, eye_reference),
    made("OneHot", 9, "the on value at an index, else the off value", infer_one_hot, one_hot_reference),
    made("HannWindow", 17, "Hann window", infer_window, window_reference<Hann>),
    made("HammingWindow", 17, "Hamming window", infer_window, window_reference<Hamming>),
    made("BlackmanWindow", 17, "Blackman window", infer_window, window_reference<Blackman>),
};

} // namespace

std::span<const OpDef> generate() { return defs; }

} // namespace edgec::ops
