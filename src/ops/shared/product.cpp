#include "ops/shared/product.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kernels/fast/conv.h"
#include "kernels/reference/conv.h"
#include "ops/shared/followers.h"
#include "ops/shared/integer.h"

namespace edgec::ops {
namespace {

template <class T>
Tensor multiply_as(const ProductStack &stack, const Tensor &a, const Tensor &b) {
  const auto &s = stack.shape;
  const auto x = a.as<T>(), y = b.as<T>();
  std::vector<T> result(static_cast<std::size_t>(element_count(stack.dims).value_or(0)));
  for (std::size_t i = 0; i < stack.a_index.size(); ++i)
    reference::gemm<T>(s, x.data() + stack.a_index[i] * s.m * s.k, y.data() + stack.b_index[i] * s.k * s.n,
                       result.data() + static_cast<std::int64_t>(i) * s.m * s.n);
  return Tensor::of(stack.dims, std::move(result));
}

Tensor multiply_doubles(const ProductStack &stack, const Tensor &a, const Tensor &b) {
  const auto wide = [](const Tensor &t) { return Tensor::of(t.dims, to_doubles(t)); };
  const Tensor product = multiply_as<double>(stack, wide(a), wide(b));
  return a.dtype == DType::float64 ? product : from_doubles(a.dtype, stack.dims, product.as<double>());
}

/// [k, n] to [n, k], or [n, k] as it is.
template <class T>
std::vector<T> columns_first(const ConstantProduct &p, std::span<const T> matrix) {
  std::vector<T> columns(matrix.begin(), matrix.end());
  if (p.transposed) return columns;
  for (std::int64_t i = 0; i < p.k; ++i)
    for (std::int64_t j = 0; j < p.n; ++j)
      columns[static_cast<std::size_t>(j * p.k + i)] = matrix[static_cast<std::size_t>(i * p.n + j)];
  return columns;
}

Result<Kernel> prepare_integer(const PrepareArgs &args, const ConstantProduct &p, const ConvShape &shape) {
  if (p.bias && p.beta != 1) return unsupported("beta with quantized operands");
  EDGEC_ASSIGN(IntegerConv conv, integer_conv({*args.input(0), *args.input(1), *args.constant(1), p.transposed ? 0 : 1,
                                               p.bias, *args.outputs[0], p.n, p.alpha}));
  conv.weights = columns_first<std::int16_t>(p, conv.weights);
  EDGEC_ASSIGN(Kernel kernel, fast::conv(shape, conv, {args.isa, args.threads}));
  kernel.followers = identity_followers(args);
  return kernel;
}

Result<Kernel> prepare_float(const PrepareArgs &args, const ConstantProduct &p, const ConvShape &shape) {
  const Tensor &matrix = *args.constant(1);
  if (args.input(0)->dtype != DType::float32 || matrix.dtype != DType::float32 ||
      (p.bias && p.bias->dtype != DType::float32))
    return unsupported("no fast product of other types than float");
  std::vector<float> weights = columns_first(p, matrix.as<float>()), bias;
  for (float &w : weights) w *= p.alpha;
  if (p.bias) {
    const auto values = p.bias->as<float>();
    for (std::int64_t j = 0; j < p.n; ++j)
      bias.push_back(p.beta * values[values.size() == 1 ? 0 : static_cast<std::size_t>(j)]);
  }
  return with_followers(args, [&](std::span<const fast::FloatPostOp> post_ops) {
    return fast::conv(shape, weights, bias, post_ops, {args.isa, args.threads});
  });
}

} // namespace

Result<Kernel> prepare_product(const PrepareArgs &args, const ConstantProduct &p) {
  if (p.m * p.n * p.k == 0) return unsupported("an empty product");
  if (p.bias && p.bias->size() != 1 && (p.bias->size() != p.n || p.bias->dims.back() != p.n))
    return unsupported("a bias that is not a row");
  ConvShape shape{.in_channels = p.k, .out_channels = p.n}; // rows are positions of a 1x1 convolution
  shape.axes[2].in = shape.axes[2].out = p.m;
  EDGEC_ASSIGN(const bool integer, quantized_operands(args.input(0), args.input(1)));
  EDGEC_ASSIGN(Kernel kernel, integer ? prepare_integer(args, p, shape) : prepare_float(args, p, shape));
  kernel.inputs.clear(); // [m, k] row-major is channels_last of such a convolution
  kernel.output = Layout::plain;
  return kernel;
}

Result<ProductStack> matmul_stack(const Dims &a, const Dims &b) {
  if (a.empty() || b.empty()) return bad_input("MatMul of a scalar");
  Dims left = a, right = b;
  if (a.size() == 1) left.insert(left.begin(), 1);
  if (b.size() == 1) right.push_back(1);
  ProductStack stack;
  auto &s = stack.shape;
  s.m = left[left.size() - 2];
  s.k = left.back();
  s.n = right.back();
  s.a_row = s.k;
  s.b_row = s.n;
  if (right[right.size() - 2] != s.k)
    return bad_input(fmt::format("MatMul of [{}] and [{}]", fmt::join(a, ","), fmt::join(b, ",")));
  const std::size_t depth = std::max(left.size(), right.size()) - 2;
  const auto size = [depth](const Dims &dims, std::size_t axis) { // of leading axis `axis`, counted in the output
    const std::size_t own = dims.size() - 2;
    return axis + own < depth ? std::int64_t{1} : dims[axis + own - depth];
  };
  for (std::size_t i = 0; i < depth; ++i) {
    const std::int64_t l = size(left, i), r = size(right, i);
    if (l != r && l != 1 && r != 1)
      return bad_input(fmt::format("MatMul of [{}] and [{}]", fmt::join(a, ","), fmt::join(b, ",")));
    stack.dims.push_back(l == 1 ? r : l);
  }
  const auto products = element_count(stack.dims);
  if (!products || *products > (std::int64_t{1} << 32)) return resource_error("MatMul of too many matrices");
  for (std::int64_t p = 0; p < *products; ++p) {
    std::int64_t ai = 0, bi = 0, block = *products, rest = p;
    for (std::size_t i = 0; i < depth; ++i) {
      block /= stack.dims[i];
      const std::int64_t at = rest / block, l = size(left, i), r = size(right, i);
      rest %= block;
      ai = ai * l + (l == 1 ? 0 : at);
      bi = bi * r + (r == 1 ? 0 : at);
    }
    stack.a_index.push_back(ai);
    stack.b_index.push_back(bi);
  }
  if (a.size() > 1) stack.dims.push_back(s.m);
  if (b.size() > 1) stack.dims.push_back(s.n);
  if (!element_count(stack.dims)) return resource_error("the output of MatMul is too large");
  return stack;
}

Result<Tensor> multiply(const ProductStack &stack, const Tensor &a, const Tensor &b) {
  if (a.dtype != b.dtype) return bad_input(fmt::format("a product of {} and {}", name(a.dtype), name(b.dtype)));
  if (is_float(a.dtype)) return multiply_doubles(stack, a, b);
  switch (a.dtype) { // unsigned arithmetic wraps around without being undefined
  case DType::int32:
  case DType::uint32: {
    Tensor y = multiply_as<std::uint32_t>(stack, a, b);
    y.dtype = a.dtype;
    return y;
  }
  case DType::int64:
  case DType::uint64: {
    Tensor y = multiply_as<std::uint64_t>(stack, a, b);
    y.dtype = a.dtype;
    return y;
  }
  default: return unsupported(fmt::format("a product of {}", name(a.dtype)));
  }
}

std::vector<std::int32_t> multiply_codes(const ProductStack &stack, std::span<const std::int16_t> a,
                                         std::span<const std::int16_t> b) {
  const auto &s = stack.shape;
  std::vector<std::int32_t> sums(stack.a_index.size() * static_cast<std::size_t>(s.m * s.n));
  for (std::size_t i = 0; i < stack.a_index.size(); ++i)
    reference::gemm(s, a.subspan(stack.a_index[i] * s.m * s.k, s.m * s.k),
                    b.subspan(stack.b_index[i] * s.k * s.n, s.k * s.n),
                    std::span(sums).subspan(static_cast<std::int64_t>(i) * s.m * s.n, s.m * s.n));
  return sums;
}

Tensor finish_rows(const IntegerOutput &output, Dims dims, std::span<const std::int32_t> sums) {
  std::vector<std::byte> y(byte_size(output.dtype, static_cast<std::int64_t>(sums.size())));
  const auto columns = output.scales.size();
  for (std::size_t i = 0; i < sums.size(); ++i)
    reference::finish(output, static_cast<std::int64_t>(i % columns), sums.subspan(i, 1), y.data(),
                      static_cast<std::int64_t>(i));
  return Tensor::of_bytes(output.dtype, std::move(dims), std::move(y));
}

} // namespace edgec::ops
