// MatMul: numpy's matrix product. Quantized operands make it the integer product with requantization.
#include <algorithm>

#include <fmt/format.h>

#include "kernels/fast/matmul.h"
#include "ops/shared/integer.h"
#include "ops/shared/product.h"
#include "ops/shared/weighted.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  const Type *a = args.input(0), *b = args.input(1);
  if (!a || !b) return bad_input("MatMul needs two inputs");
  if (!a->shape || !b->shape) return std::vector<Type>{product_type(*a, std::nullopt)};
  Shape left = *a->shape, right = *b->shape;
  if (left.empty() || right.empty()) return bad_input("MatMul of a scalar");
  const bool row = left.size() == 1, column = right.size() == 1;
  if (row) left.insert(left.begin(), Dim::known(1));
  if (column) right.push_back(Dim::known(1));
  const Dim &k = left.back(), &other = right[right.size() - 2];
  if (k.is_known() && other.is_known() && k.size != other.size)
    return bad_input(fmt::format("MatMul of {} and {}", to_string(*a), to_string(*b)));
  const std::size_t depth = std::max(left.size(), right.size()) - 2;
  Shape shape;
  for (std::size_t i = 0; i < depth; ++i) {
    const auto dim = [&](const Shape &s) {
      return i + s.size() - 2 < depth ? Dim::known(1) : s[i + s.size() - 2 - depth];
    };
    const Dim l = dim(left), r = dim(right);
    if (l.is_known() && r.is_known() && l.size != r.size && l.size != 1 && r.size != 1)
      return bad_input(fmt::format("MatMul of {} and {}", to_string(*a), to_string(*b)));
    if (l == r || r.size == 1)
      shape.push_back(l);
    else if (l.size == 1)
      shape.push_back(r);
    else if (l.is_known() || r.is_known())
      shape.push_back(l.is_known() ? l : r); // one above 1 wins
    else
      shape.push_back(Dim::unknown());
  }
  if (!row) shape.push_back(left[left.size() - 2]);
  if (!column) shape.push_back(right.back());
  return std::vector<Type>{product_type(*a, shape)};
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  const Tensor *a = args.input(0), *b = args.input(1);
  if (!a || !b) return bad_input("MatMul needs two inputs");
  EDGEC_ASSIGN(const ProductStack stack, matmul_stack(a->dims, b->dims));
  EDGEC_ASSIGN(const bool integer, quantized_operands(args.input_types[0], args.input_types[1]));
  if (!integer) {
    EDGEC_ASSIGN(Tensor y, multiply(stack, *a, *b));
    return std::vector<RuntimeValue>{std::move(y)};
  }
  const int rank = b->rank(), column_axis = rank - 1;
  if (rank == 1 && args.input_types[1]->quant->scales.size() > 1) return unsupported("a vector with several scales");
  EDGEC_ASSIGN(const IntegerOutput output, integer_output(*args.input_types[0], *args.input_types[1], rank, column_axis,
                                                          nullptr, *args.output_types[0], stack.shape.n));
  EDGEC_ASSIGN(const auto x, centred_codes(*a, *args.input_types[0]->quant));
  EDGEC_ASSIGN(const auto w, centred_codes(*b, *args.input_types[1]->quant));
  return std::vector<RuntimeValue>{finish_rows(output, stack.dims, multiply_codes(stack, x, w))};
}

Result<Kernel> prepare(const PrepareArgs &args) {
  const Type &a = *args.input(0), &b = *args.input(1);
  EDGEC_ASSIGN(const ProductStack stack, matmul_stack(*a.concrete(), *b.concrete()));
  const auto &s = stack.shape;
  if (args.constant(1) && b.rank() == 2)
    return prepare_product(args, {.m = s.m * static_cast<std::int64_t>(stack.a_index.size()), .n = s.n, .k = s.k});
  EDGEC_ASSIGN(const bool integer, quantized_operands(&a, &b));
  const fast::Products products{s.m, s.n, s.k, stack.a_index, stack.b_index};
  const Run run{args.isa, args.threads};
  if (integer) {
    EDGEC_ASSIGN(const Codes left, codes_of(a));
    EDGEC_ASSIGN(const Codes right, codes_of(b));
    EDGEC_ASSIGN(const IntegerOutput output,
                 integer_output(a, b, *b.rank(), *b.rank() - 1, nullptr, *args.outputs[0], s.n));
    return fast::matmul(products, left, right, output, run);
  }
  if (a.dtype != DType::float32 || b.dtype != DType::float32)
    return unsupported("no fast product of other types than float");
  return fast::matmul(products, run);
}

std::optional<WeightInfo> weights(const Node &, std::span<const Type *const> inputs) {
  if (inputs.size() < 2 || !inputs[0] || !inputs[1] || !inputs[0]->rank() || !inputs[1]->rank()) return std::nullopt;
  const int a = *inputs[0]->rank(), b = *inputs[1]->rank();
  if (b < 2) return std::nullopt;
  return WeightInfo{.channel_axis = b - 1, .output_axis = std::max(a, b) - (a == 1 ? 2 : 1)};
}

Result<ConvShape> as_conv(const Node &, const Dims &data, const Dims &weight) {
  if (weight.size() != 2) return unsupported("its weight is a stack of matrices");
  EDGEC_ASSIGN(const ProductStack stack, matmul_stack(data, weight));
  const auto rows = stack.shape.m * static_cast<std::int64_t>(stack.a_index.size());
  return ConvShape{.batch = rows, .in_channels = stack.shape.k, .out_channels = stack.shape.n};
}

Axes axes(const AxisArgs &args) {
  if (!args.output() || !args.output()->rank() || !args.input(0) || !args.input(0)->shape || !args.input(1) ||
      !args.input(1)->shape)
    return {};
  const Shape &a = *args.input(0)->shape, &b = *args.input(1)->shape;
  if (a.empty() || b.empty()) return {};
  const int out = *args.output()->rank();
  const auto row = static_cast<int>(a.size()) - 2;
  const auto term = b.size() == 1 ? 0 : static_cast<int>(b.size()) - 2;
  Axes found;
  std::vector<AxisLink> &links = found.links;
  if (a.back().is_known() && a.back() == b[static_cast<std::size_t>(term)])
    found.ties.push_back({.input_axis = row + 1, .other_axis = term, .count = a.back().size});
  if (b.size() >= 2 && b.back().is_known())
    links.push_back(
        {.input = 1, .input_axis = static_cast<int>(b.size()) - 1, .output_axis = out - 1, .count = b.back().size});
  if (row >= 0 && a[static_cast<std::size_t>(row)].is_known())
    links.push_back({.input_axis = row,
                     .output_axis = b.size() == 1 ? out - 1 : out - 2,
                     .count = a[static_cast<std::size_t>(row)].size});
  return found;
}

Cost cost(const Node &, std::span<const Type *const> inputs, std::span<const Type *const>) {
  if (inputs.size() < 2 || !inputs[0] || !inputs[1]) return {};
  const auto a = inputs[0]->concrete(), b = inputs[1]->concrete();
  if (!a || !b) return {};
  const auto stack = matmul_stack(*a, *b);
  if (!stack) return {};
  const auto &s = stack->shape;
  return {static_cast<double>(stack->a_index.size()) * static_cast<double>(s.m) * static_cast<double>(s.n) *
          static_cast<double>(s.k)};
}

const OpDef defs[] = {{.name = "MatMul",
                       .summary = "matrix product, leading axes broadcast",
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

std::span<const OpDef> matmul() { return defs; }

} // namespace edgec::ops
