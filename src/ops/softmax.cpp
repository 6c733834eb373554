// Softmax, LogSoftmax, Hardmax along an axis; before opset 13 over all axes from that one on.
#include <algorithm>
#include <cmath>

#include "kernels/functions.h"
#include "ops/shared/elements.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

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
  if (args.input(0)->shape)
    EDGEC_CHECK([&]() -> Status {
      const auto found = rows(args.node, args.opset, Dims(args.input(0)->shape->size(), 1));
      return found ? Status() : Status(found.error());
    }());
  return infer_same(args);
}

enum class Kind { softmax, log_softmax, hardmax };

EDGEC_INLINE inline void exponentials(const float *x, float high, float *y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = fast::exp(x[i] - high);
}
EDGEC_INLINE inline void exponentials(const double *x, double high, double *y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = std::exp(x[i] - high);
}

/// One row. The sum is a double's, taken in order: the same for any number of threads and instruction set.
template <Kind kind, class T>
EDGEC_INLINE inline void normalize(const T *x, T *y, std::int64_t count) {
  const std::int64_t best = std::max_element(x, x + count) - x;
  const T high = x[best];
  if (kind == Kind::hardmax) {
    std::fill(y, y + count, T{0});
    y[best] = T{1};
    return;
  }
  exponentials(x, high, y, count);
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(y[i]);
  if (kind == Kind::softmax) {
    const T factor = static_cast<T>(1 / sum);
    for (std::int64_t i = 0; i < count; ++i) y[i] *= factor;
  } else {
    const T log_sum = static_cast<T>(std::log(sum));
    for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] - high - log_sum;
  }
}

/// All rows; those whose numbers do not lie together are copied together and back.
template <Kind kind, class T>
EDGEC_INLINE inline void normalize_rows(const Rows &rows, const T *x, T *y, std::int64_t first, std::int64_t last) {
  const auto size = static_cast<std::size_t>(rows.stride > 1 ? rows.count : 0);
  std::vector<T> in(size), out(size);
  for (std::int64_t r = first; r < last; ++r) {
    const std::int64_t at = r / rows.stride * rows.count * rows.stride + r % rows.stride;
    if (rows.stride == 1) {
      normalize<kind>(x + at, y + at, rows.count);
      continue;
    }
    for (std::int64_t i = 0; i < rows.count; ++i) in[static_cast<std::size_t>(i)] = x[at + i * rows.stride];
    normalize<kind>(in.data(), out.data(), rows.count);
    for (std::int64_t i = 0; i < rows.count; ++i) y[at + i * rows.stride] = out[static_cast<std::size_t>(i)];
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
    if (!y.empty()) normalize_rows<kind>(found, x.span().data(), y.data(), 0, found.outer * found.stride);
    return one(make_tensor(in.dtype, in.dims, std::move(y)));
  });
}

template <Kind kind>
Result<Kernel> prepare(const PrepareArgs &args) {
  if (!args.input(0) || !args.outputs[0]) return unsupported("no operand");
  if (args.inputs[0]->quant || args.outputs[0]->quant) return through_floats(args, prepare<kind>);
  if (!is_float32(args.inputs[0])) return unsupported("only float32");
  const Dims dims = *args.inputs[0]->concrete();
  EDGEC_ASSIGN(const Rows found, rows(args.node, args.opset, dims));
  Kernel kernel;
  kernel.description = "vector";
  kernel.run = [found, how = Run{args.isa, args.threads}](const KernelIo &io) {
    const auto *x = reinterpret_cast<const float *>(io.inputs[0]);
    auto *y = reinterpret_cast<float *>(io.outputs[0]);
    fast::dispatch(how, found.outer * found.stride, std::max<std::int64_t>(1, 4096 / found.count),
                   [=](std::int64_t first, std::int64_t last)
                       EDGEC_INLINE { normalize_rows<kind>(found, x, y, first, last); });
  };
  return kernel;
}

template <Kind kind>
OpDef softmax_op(std::string_view name, std::string_view summary, QuantRule quant) {
  return {.name = name,
          .summary = summary,
          .quant = quant,
          .fixed_range = {0, 1},
          .infer = infer,
          .reference = reference<kind>,
          .prepare = prepare<kind>};
}

const OpDef defs[] = {
    softmax_op<Kind::softmax>("Softmax", "exponentials that sum to 1", QuantRule::fixed_range),
    softmax_op<Kind::log_softmax>("LogSoftmax", "logarithm of the softmax", QuantRule::float_only),
    softmax_op<Kind::hardmax>("Hardmax", "1 at the first largest number, else 0", QuantRule::float_only),
};

} // namespace

std::span<const OpDef> softmax() { return defs; }

} // namespace edgec::ops
