// Softmax, LogSoftmax, Hardmax along an axis; before opset 13 over all axes from that one on.
#include <algorithm>
#include <cmath>

#include "ops/_elements.h"
#include "ops/_shape.h"

namespace edgec::ops {
namespace {

/// Rows that are normalized: `count` numbers, `stride` apart.
struct Rows {
  std::int64_t outer, count, stride;
};

Result<Rows> rows(const Node &node, std::int64_t opset, const Dims &dims) {
  const bool flattens = opset < 13;
  const std::int64_t axis = node.get_int("axis", flattens ? 1 : -1);
  const int rank = static_cast<int>(dims.size());
  if (flattens && axis == rank) return Rows{product(dims, 0, dims.size()), 1, 1};
  if (rank == 0 && (axis == -1 || axis == 0)) return Rows{1, 1, 1};
  EDGEC_ASSIGN(const int found, normalize_axis(axis, rank));
  const auto at = static_cast<std::size_t>(found);
  if (flattens) return Rows{product(dims, 0, at), product(dims, at, dims.size()), 1};
  return Rows{product(dims, 0, at), dims[at], product(dims, at + 1, dims.size())};
}

/// Inference also sees to it that the axis exists.
Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  if (args.input(0)->shape) EDGEC_CHECK([&]() -> Status {
    const auto found = rows(args.node, args.opset, Dims(args.input(0)->shape->size(), 1));
    return found ? Status() : Status(found.error());
  }());
  return infer_same(args);
}

enum class Kind { softmax, log_softmax, hardmax };

template <Kind kind, class T>
void normalize(const T *x, T *y, std::int64_t count, std::int64_t stride) {
  T high = x[0];
  std::int64_t best = 0;
  for (std::int64_t i = 1; i < count; ++i)
    if (x[i * stride] > high) {
      high = x[i * stride];
      best = i;
    }
  if (kind == Kind::hardmax) {
    for (std::int64_t i = 0; i < count; ++i) y[i * stride] = static_cast<T>(i == best);
    return;
  }
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const T e = std::exp(x[i * stride] - high);
    sum += static_cast<double>(e);
    if (kind == Kind::softmax) y[i * stride] = e;
  }
  const T log_sum = static_cast<T>(std::log(sum)), factor = static_cast<T>(1 / sum);
  for (std::int64_t i = 0; i < count; ++i) {
    if (kind == Kind::softmax) y[i * stride] *= factor;
    else y[i * stride] = x[i * stride] - high - log_sum;
  }
}

template <Kind kind>
Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &in = *args.inputs[0];
  EDGEC_ASSIGN(const Rows found, rows(args.node, args.opset, in.dims));
  return with_arithmetic(in.dtype, [&](auto zero) {
    using T = std::conditional_t<std::is_floating_point_v<decltype(zero)>, decltype(zero), double>;
    const Elements<T> x(in);
    std::vector<T> y(x.size());
    if (!y.empty())
      for (std::int64_t o = 0; o < found.outer; ++o)
        for (std::int64_t s = 0; s < found.stride; ++s) {
          const auto at = static_cast<std::size_t>(o * found.count * found.stride + s);
          normalize<kind>(&x[at], &y[at], found.count, found.stride);
        }
    return one(make_tensor(in.dtype, in.dims, std::move(y)));
  });
}

template <Kind kind>
OpDef softmax_op(std::string_view name, std::string_view summary, QuantRule quant) {
  return {.name = name, .summary = summary, .quant = quant, .fixed_range = {0, 1}, .infer = infer, .reference = reference<kind>};
}

const OpDef defs[] = {
    softmax_op<Kind::softmax>("Softmax", "exponentials that sum to 1", QuantRule::fixed_range),
    softmax_op<Kind::log_softmax>("LogSoftmax", "logarithm of the softmax", QuantRule::float_only),
    softmax_op<Kind::hardmax>("Hardmax", "1 at the first largest number, else 0", QuantRule::float_only),
};

} // namespace

std::span<const OpDef> softmax() { return defs; }

} // namespace edgec::ops
