// Gradients that ONNX has no operator for, in edgec's own domain: what autodiff/ makes backward graphs of. A file that
// names them is taken at its word no more than any other.
#include <limits>

#include <fmt/format.h>

#include "kernels/fast/conv.h"
#include "kernels/fast/pool.h"
#include "kernels/reference/conv.h"
#include "kernels/reference/pool.h"
#include "ops/registry.h"
#include "ops/shared/elementwise.h"
#include "ops/shared/weighted.h"
#include "ops/shared/window.h"

namespace edgec::ops {
namespace {

/// Whether dy is what a window operator of this geometry gives. Shape: ConvShape or PoolShape.
template <class Shape>
Status check_output(const Shape &shape, std::int64_t channels, const Dims &dy) {
  Dims dims{shape.batch, channels};
  for (int i = 3 - shape.rank; i < 3; ++i) dims.push_back(shape.axes[static_cast<std::size_t>(i)].out);
  if (dy == dims) return {};
  return bad_input(
      fmt::format("the output's gradient is [{}], expected [{}]", fmt::join(dy, ","), fmt::join(dims, ",")));
}

Status check_float32(std::span<const Type *const> operands) {
  for (const Type *type : operands)
    if (!is_float32(type)) return unsupported("only float32");
  return {};
}

// ---- ConvWeightGradient(x, dy) -> dw, db: Conv's attributes, kernel_shape among them

Result<ConvShape> conv_of(const Node &node, const Dims &x, const Dims &dy) {
  const auto kernel = node.get_ints("kernel_shape");
  const std::int64_t groups = node.get_int("group", 1);
  if (x.size() < 3 || dy.size() != x.size() || kernel.size() != x.size() - 2)
    return bad_input("a convolution's gradient of operands of different ranks");
  EDGEC_CHECK(check_groups(groups, x[1], dy[1]));
  Dims w{dy[1], x[1] / groups};
  w.insert(w.end(), kernel.begin(), kernel.end());
  EDGEC_ASSIGN(const ConvShape shape, all_ops().find("", "Conv")->as_conv(node, x, w));
  EDGEC_CHECK(check_output(shape, shape.out_channels, dy));
  return shape;
}

Result<std::vector<Type>> infer_conv(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const DType dtype = args.input(0)->dtype;
  const auto x = args.input(0)->concrete(), dy = args.input(1)->concrete();
  if (!x || !dy) return std::vector<Type>{Type::tensor(dtype), Type::tensor(dtype)};
  EDGEC_ASSIGN(const ConvShape shape, conv_of(args.node, *x, *dy));
  Dims w{shape.out_channels, shape.group_in()};
  for (const std::int64_t size : args.node.get_ints("kernel_shape")) w.push_back(size);
  return std::vector<Type>{Type::tensor(dtype, w), Type::tensor(dtype, Dims{shape.out_channels})};
}

Result<std::vector<RuntimeValue>> evaluate_conv_gradient(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_conv));
  const Tensor &x = *args.inputs[0], &dy = *args.inputs[1];
  EDGEC_ASSIGN(const ConvShape shape, conv_of(args.node, x.dims, dy.dims));
  const Dims dims = *types[0].concrete();
  std::vector<float> dw(static_cast<std::size_t>(*element_count(dims))),
      db(static_cast<std::size_t>(shape.out_channels));
  reference::conv_weight_gradient(shape, to_floats(x), to_floats(dy), dw, db);
  auto found = one(from_floats(x.dtype, dims, std::move(dw)));
  found.emplace_back(from_floats(x.dtype, {shape.out_channels}, std::move(db)));
  return found;
}

Result<Kernel> prepare_conv_gradient(const PrepareArgs &args) {
  EDGEC_CHECK(check_float32(args.inputs));
  EDGEC_ASSIGN(const ConvShape shape, conv_of(args.node, *args.inputs[0]->concrete(), *args.inputs[1]->concrete()));
  return fast::conv_weight_gradient(shape, args.outputs.size() > 1 && args.outputs[1], {args.isa, args.threads});
}

// ---- MaxPoolGradient(dy, x, y) -> dx, AveragePoolGradient(dy) -> dx: the pool's attributes, input_shape for averages,
// global = 1 for pools of all positions

bool is_global(const Node &node) { return node.get_int("global", 0) != 0; }

/// Geometry and input dims of a pool whose gradient operands have these types; nothing where those are not known.
struct Pool {
  Dims input;
  PoolShape shape;
};

template <bool maximum>
Result<std::optional<Pool>> pool_of(const Node &node, std::span<const Type *const> operands) {
  const auto dy = operands[0]->concrete();
  const auto x = maximum ? operands[1]->concrete() : std::optional(node.get_ints("input_shape"));
  if (!dy || !x) return std::optional<Pool>();
  const auto count = element_count(*x);
  if (!count) return bad_input("input_shape is out of range");
  EDGEC_CHECK(check_size(operands[0]->dtype, *x));
  EDGEC_ASSIGN(const PoolShape shape, pool_shape(node, node.get_int("opset", 0), *x, is_global(node)));
  EDGEC_CHECK(check_output(shape, shape.channels, *dy));
  if (maximum && operands[2]->concrete() && *operands[2]->concrete() != *dy)
    return bad_input("the pool's output and its gradient differ in shape");
  return std::optional(Pool{*x, shape});
}

bool counts_padding(const Node &node) { return node.get_int("count_include_pad", 0) != 0; }

template <bool maximum>
Result<std::vector<Type>> infer_pool(const InferArgs &args) {
  EDGEC_CHECK(require(args, maximum ? 3 : 1));
  EDGEC_ASSIGN(const auto pool, pool_of<maximum>(args.node, args.inputs));
  const DType dtype = args.input(0)->dtype;
  return std::vector<Type>{pool ? Type::tensor(dtype, pool->input) : Type::tensor(dtype)};
}

template <bool maximum>
Result<std::vector<RuntimeValue>> evaluate_pool(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_pool<maximum>));
  const Tensor &dy = *args.inputs[0];
  const Dims dims = *types[0].concrete();
  EDGEC_ASSIGN(const PoolShape shape, pool_shape(args.node, args.node.get_int("opset", 0), dims, is_global(args.node)));
  return with_arithmetic(dy.dtype, [&](auto zero) {
    using T = decltype(zero);
    std::vector<T> dx(static_cast<std::size_t>(element_count(dims).value_or(0)));
    const Elements<T> gradient(dy);
    if constexpr (maximum) {
      const Elements<T> x(*args.inputs[1]), y(*args.inputs[2]);
      reference::max_pool_gradient(shape, gradient.span().data(), x.span().data(), y.span().data(), dx.data());
    } else {
      reference::average_pool_gradient(shape, counts_padding(args.node), gradient.span().data(), dx.data());
    }
    return one(make_tensor(dy.dtype, dims, std::move(dx)));
  });
}

template <bool maximum>
Result<Kernel> prepare_pool(const PrepareArgs &args) {
  EDGEC_CHECK(check_float32(args.inputs));
  EDGEC_ASSIGN(const auto pool, pool_of<maximum>(args.node, args.inputs));
  const Run run{args.isa, args.threads};
  return maximum ? fast::max_pool_gradient(pool->shape, run)
                 : fast::average_pool_gradient(pool->shape, counts_padding(args.node), run);
}

// ---- ClipGradient(dy, x) -> dx: low, high

struct ClipGradient {
  float low, high;
  explicit ClipGradient(const Node &node)
      : low(node.get_float("low", -std::numeric_limits<float>::infinity())),
        high(node.get_float("high", std::numeric_limits<float>::infinity())) {}
  template <class T>
  EDGEC_INLINE T operator()(T dy, T x) const {
    return x > static_cast<T>(low) && x < static_cast<T>(high) ? dy : T{0};
  }
};

// ---- GatherGradient(dy, indices) -> dx: axis, input_shape

Result<std::vector<Type>> infer_gather(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  const Dims dims = args.node.get_ints("input_shape");
  if (!element_count(dims)) return bad_input("input_shape is out of range");
  return std::vector<Type>{Type::tensor(args.input(0)->dtype, dims)};
}

/// dx seen as [outer, size, inner]: row (o, i) of dy adds to row (o, indices[i]).
Result<std::vector<RuntimeValue>> evaluate_gather(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_gather));
  const Tensor &dy = *args.inputs[0];
  const Dims dims = *types[0].concrete();
  const auto indices = to_int64s(*args.inputs[1]);
  EDGEC_ASSIGN(const int axis, normalize_axis(args.node.get_int("axis", 0), static_cast<int>(dims.size())));
  const std::int64_t outer = product(dims, 0, axis), size = dims[axis], inner = product(dims, axis + 1, dims.size());
  const auto count = static_cast<std::int64_t>(indices.size());
  if (dy.size() != outer * count * inner) return bad_input("a gradient of other dims than what was gathered");
  return with_arithmetic(dy.dtype, [&](auto zero) -> Result<std::vector<RuntimeValue>> {
    using T = decltype(zero);
    const Elements<T> from(dy);
    std::vector<T> dx(static_cast<std::size_t>(outer * size * inner));
    for (std::int64_t row = 0; row < outer * count; ++row) {
      std::int64_t index = indices[row % count];
      if (index < 0) index += size;
      if (index < 0 || index >= size) return bad_input(fmt::format("index {} of {} elements", index, size));
      for (std::int64_t i = 0; i < inner; ++i) dx[(row / count * size + index) * inner + i] += from[row * inner + i];
    }
    return one(make_tensor(dy.dtype, dims, std::move(dx)));
  });
}

const OpDef defs[] = {{.name = "ConvWeightGradient",
                       .domain = "edgec",
                       .summary = "the gradients of a convolution's weight and bias",
                       .infer = infer_conv,
                       .reference = evaluate_conv_gradient,
                       .prepare = prepare_conv_gradient},
                      {.name = "MaxPoolGradient",
                       .domain = "edgec",
                       .summary = "the gradient of the input of MaxPool or GlobalMaxPool",
                       .infer = infer_pool<true>,
                       .reference = evaluate_pool<true>,
                       .prepare = prepare_pool<true>},
                      {.name = "AveragePoolGradient",
                       .domain = "edgec",
                       .summary = "the gradient of the input of AveragePool or GlobalAveragePool",
                       .infer = infer_pool<false>,
                       .reference = evaluate_pool<false>,
                       .prepare = prepare_pool<false>},
                      {.name = "ClipGradient",
                       .domain = "edgec",
                       .summary = "the gradient of Clip's input: of what is between its bounds",
                       .elementwise = true,
                       .infer = infer_broadcast,
                       .reference = binary_reference<ClipGradient>,
                       .prepare = prepare_binary<ClipGradient>},
                      {.name = "GatherGradient",
                       .domain = "edgec",
                       .summary = "the gradient of Gather's data",
                       .infer = infer_gather,
                       .reference = evaluate_gather}};

} // namespace

std::span<const OpDef> gradient() { return defs; }

} // namespace edgec::ops
