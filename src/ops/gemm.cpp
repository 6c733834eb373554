// Gemm: alpha * A' * B' + beta * C. Quantized A and B make it the integer product; C is then an int32 bias.
#include <fmt/format.h>

#include "ops/shared/integer.h"
#include "ops/shared/product.h"
#include "ops/shared/weighted.h"

namespace edgec::ops {
namespace {

struct Spec {
  bool trans_a, trans_b;
  float alpha, beta;
};

Spec read_spec(const Node &node) {
  return {node.get_int("transA", 0) != 0, node.get_int("transB", 0) != 0, node.get_float("alpha", 1),
          node.get_float("beta", 1)};
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  const Type *a = args.input(0), *b = args.input(1);
  if (!a || !b) return bad_input("Gemm needs two inputs");
  const Spec spec = read_spec(args.node);
  Shape shape(2);
  for (const Type *type : {a, b})
    if (type->rank() && *type->rank() != 2)
      return bad_input(fmt::format("Gemm of {}, expected rank 2", to_string(*type)));
  if (a->shape) shape[0] = (*a->shape)[spec.trans_a ? 1 : 0];
  if (b->shape) shape[1] = (*b->shape)[spec.trans_b ? 0 : 1];
  if (a->shape && b->shape) {
    const Dim &k = (*a->shape)[spec.trans_a ? 0 : 1], &other = (*b->shape)[spec.trans_b ? 1 : 0];
    if (k.is_known() && other.is_known() && k.size != other.size)
      return bad_input(fmt::format("Gemm of {} and {}", to_string(*a), to_string(*b)));
  }
  return std::vector<Type>{product_type(*a, shape)};
}

Result<ProductStack> shape_of(const Spec &spec, const Dims &a, const Dims &b) {
  if (a.size() != 2 || b.size() != 2) return bad_input(fmt::format("Gemm of ranks {} and {}", a.size(), b.size()));
  ProductStack stack{.a_index = {0}, .b_index = {0}};
  auto &s = stack.shape;
  s.m = a[spec.trans_a ? 1 : 0];
  s.k = a[spec.trans_a ? 0 : 1];
  s.n = b[spec.trans_b ? 0 : 1];
  if (b[spec.trans_b ? 1 : 0] != s.k)
    return bad_input(fmt::format("Gemm of inner sizes {} and {}", s.k, b[spec.trans_b ? 1 : 0]));
  s.a_row = spec.trans_a ? 1 : s.k;
  s.a_column = spec.trans_a ? s.m : 1;
  s.b_row = spec.trans_b ? 1 : s.n;
  s.b_column = spec.trans_b ? s.k : 1;
  stack.dims = {s.m, s.n};
  if (!element_count(stack.dims)) return resource_error("the output of Gemm is too large");
  return stack;
}

/// Distance of C's neighbours along rows and columns of the output.
Result<std::pair<std::int64_t, std::int64_t>> bias_strides(const Dims &c, const Dims &y) {
  const std::int64_t columns = c.empty() ? 1 : c.back(), rows = c.size() < 2 ? 1 : c[c.size() - 2];
  if (c.size() > 2 || (columns != 1 && columns != y[1]) || (rows != 1 && rows != y[0]))
    return bad_input("C of Gemm does not broadcast to the output");
  return std::pair{rows == 1 ? 0 : columns, columns == 1 ? std::int64_t{0} : std::int64_t{1}};
}

template <class T>
Result<Tensor> add_bias(const Spec &spec, const Tensor &product, const Tensor *c, std::vector<T> bias) {
  const auto sums = product.as<T>();
  std::vector<T> y(sums.begin(), sums.end());
  std::pair<std::int64_t, std::int64_t> stride{0, 0};
  if (c) {
    EDGEC_ASSIGN(stride, bias_strides(c->dims, product.dims));
  }
  for (std::int64_t i = 0; i < product.dims[0]; ++i)
    for (std::int64_t j = 0; j < product.dims[1]; ++j) {
      T &value = y[static_cast<std::size_t>(i * product.dims[1] + j)];
      value = static_cast<T>(spec.alpha) * value;
      if (c) value += static_cast<T>(spec.beta) * bias[static_cast<std::size_t>(i * stride.first + j * stride.second)];
    }
  return Tensor::of(product.dims, std::move(y));
}

Result<Tensor> evaluate_integer(const EvalArgs &args, const Spec &spec, const ProductStack &stack) {
  const Tensor *c = args.input(2);
  if (c && spec.beta != 1) return unsupported(fmt::format("beta {} with quantized operands", spec.beta));
  if (c && c->dtype != DType::int32) return unsupported("an integer Gemm needs an int32 bias");
  EDGEC_ASSIGN(const IntegerOutput output,
               integer_output(*args.input_types[0], *args.input_types[1], 2, spec.trans_b ? 0 : 1, nullptr,
                              *args.output_types[0], stack.shape.n, spec.alpha));
  EDGEC_ASSIGN(const auto a, centred_codes(*args.input(0), *args.input_types[0]->quant));
  EDGEC_ASSIGN(const auto b, centred_codes(*args.input(1), *args.input_types[1]->quant));
  std::vector<std::int32_t> sums = multiply_codes(stack, a, b);
  if (c) {
    EDGEC_ASSIGN(const auto stride, bias_strides(c->dims, stack.dims));
    const auto bias = c->as<std::int32_t>();
    for (std::int64_t i = 0; i < stack.dims[0]; ++i)
      for (std::int64_t j = 0; j < stack.dims[1]; ++j) {
        std::int32_t &sum = sums[static_cast<std::size_t>(i * stack.dims[1] + j)];
        sum = wrapping_add(sum, bias[static_cast<std::size_t>(i * stride.first + j * stride.second)]);
      }
  }
  return finish_rows(output, stack.dims, sums);
}

Result<Tensor> evaluate_plain(const EvalArgs &args, const Spec &spec, const ProductStack &stack) {
  const Tensor &a = *args.input(0), &b = *args.input(1), *c = args.input(2);
  if (is_float(a.dtype) && is_float(b.dtype)) {
    const auto wide = [](const Tensor &t) { return Tensor::of(t.dims, to_doubles(t)); };
    EDGEC_ASSIGN(const Tensor product, multiply(stack, wide(a), wide(b)));
    EDGEC_ASSIGN(const Tensor y, add_bias<double>(spec, product, c, c ? to_doubles(*c) : std::vector<double>{}));
    return from_doubles(a.dtype, stack.dims, y.as<double>());
  }
  if (spec.alpha != 1 || spec.beta != 1) return unsupported("Gemm of integers with alpha or beta other than 1");
  EDGEC_ASSIGN(const Tensor product, multiply(stack, a, b));
  const Tensor wide = from_int64s(DType::int64, product.dims, to_int64s(product));
  EDGEC_ASSIGN(const Tensor y, add_bias<std::int64_t>(spec, wide, c, c ? to_int64s(*c) : std::vector<std::int64_t>{}));
  return from_int64s(a.dtype, stack.dims, y.as<std::int64_t>());
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  const Tensor *a = args.input(0), *b = args.input(1);
  if (!a || !b) return bad_input("Gemm needs two inputs");
  const Spec spec = read_spec(args.node);
  EDGEC_ASSIGN(const ProductStack stack, shape_of(spec, a->dims, b->dims));
  EDGEC_ASSIGN(const bool integer, quantized_operands(args.input_types[0], args.input_types[1]));
  EDGEC_ASSIGN(Tensor y, integer ? evaluate_integer(args, spec, stack) : evaluate_plain(args, spec, stack));
  return std::vector<RuntimeValue>{std::move(y)};
}

Result<Kernel> prepare(const PrepareArgs &args) {
  const Spec spec = read_spec(args.node);
  const Tensor *b = args.constant(1), *c = args.constant(2);
  if (!b || (args.input(2) && !c) || spec.trans_a) return unsupported("B or C is not a constant, or A is transposed");
  EDGEC_ASSIGN(const ProductStack stack, shape_of(spec, *args.input(0)->concrete(), b->dims));
  if (c) {
    EDGEC_CHECK(bias_strides(c->dims, stack.dims));
  }
  return prepare_product(args, {stack.shape.m, stack.shape.n, stack.shape.k, spec.trans_b, spec.alpha, spec.beta, c});
}

std::optional<WeightInfo> weights(const Node &node, std::span<const Type *const>) {
  return WeightInfo{.bias = 2, .channel_axis = read_spec(node).trans_b ? 0 : 1, .output_axis = 1};
}

Result<ConvShape> as_conv(const Node &node, const Dims &data, const Dims &weight) {
  const Spec spec = read_spec(node);
  EDGEC_ASSIGN(const ProductStack stack, shape_of(spec, data, weight));
  ConvShape shape{.batch = stack.shape.m, .in_channels = stack.shape.k, .out_channels = stack.shape.n};
  if (spec.trans_a)
    std::swap(shape.batch, shape.axes[2].in), shape.axes[2].out = stack.shape.m; // [k, m]: an axis behind the channels
  return shape;
}

Axes axes(const AxisArgs &args) {
  if (!args.input(0) || !args.input(1) || !args.input(0)->shape || !args.input(1)->shape) return {};
  const Spec spec = read_spec(args.node);
  const Shape &a = *args.input(0)->shape, &b = *args.input(1)->shape;
  const int row = spec.trans_a ? 1 : 0, column = spec.trans_b ? 0 : 1;
  Axes found;
  std::vector<AxisLink> &links = found.links;
  if (a.size() != 2 || b.size() != 2) return found;
  if (const Dim &k = b[static_cast<std::size_t>(1 - column)]; k.is_known() && k == a[static_cast<std::size_t>(1 - row)])
    found.ties.push_back({.input_axis = 1 - row, .other_axis = 1 - column, .count = k.size});
  if (const Dim &m = a[static_cast<std::size_t>(row)]; m.is_known())
    links.push_back({.input_axis = row, .count = m.size});
  const Dim &n = b[static_cast<std::size_t>(column)];
  if (!n.is_known()) return found;
  links.push_back({.input = 1, .input_axis = column, .output_axis = 1, .count = n.size});
  const Type *c = args.input(2);
  if (!c || !c->shape || c->shape->empty()) return found;
  const int last = static_cast<int>(c->shape->size()) - 1;
  if (c->shape->back() == n) links.push_back({.input = 2, .input_axis = last, .output_axis = 1, .count = n.size});
  if (const Dim &m = a[static_cast<std::size_t>(row)]; last == 1 && m.is_known() && c->shape->front() == m)
    links.push_back({.input = 2, .input_axis = 0, .count = m.size});
  return found;
}

Cost cost(const Node &node, std::span<const Type *const> inputs, std::span<const Type *const>) {
  if (inputs.size() < 2 || !inputs[0] || !inputs[1]) return {};
  const auto a = inputs[0]->concrete(), b = inputs[1]->concrete();
  if (!a || !b) return {};
  const auto stack = shape_of(read_spec(node), *a, *b);
  if (!stack) return {};
  return {static_cast<double>(stack->shape.m) * static_cast<double>(stack->shape.n) *
          static_cast<double>(stack->shape.k)};
}

const OpDef defs[] = {{.name = "Gemm",
                       .summary = "matrix product with bias",
                       .integer_reference = true,
                       .quant = QuantRule::own_scale,
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare,
                       .weights = weights,
                       .as_conv = as_conv,
                       .axes = axes,
                       .cost = cost}};

} // namespace

std::span<const OpDef> gemm() { return defs; }

} // namespace edgec::ops
