// What Gemm and MatMul share: plain numeric products and products of codes.
#pragma once

#include "ir/opdef.h"
#include "kernels/integer.h"
#include "kernels/reference/gemm.h"

namespace edgec::ops {

/// A stack of products, broadcast: product i reads matrix a_index[i] of a and b_index[i] of b.
struct ProductStack {
  reference::GemmShape shape;
  std::vector<std::int64_t> a_index, b_index;
  Dims dims; ///< of the output
};

/// MatMul's rule (numpy.matmul): vectors get an axis that goes again, leading axes broadcast.
Result<ProductStack> matmul_stack(const Dims &a, const Dims &b);

/// The stack in the operands' own type (float types in double, then rounded; integers wrap around).
Result<Tensor> multiply(const ProductStack &stack, const Tensor &a, const Tensor &b);

/// The stack on codes without zero points: int32 sums, all of the output row-major.
std::vector<std::int32_t> multiply_codes(const ProductStack &stack, std::span<const std::int16_t> a,
                                         std::span<const std::int16_t> b);

/// int32 sums of rows of `output.scales.size()` columns to the tensor that `output` asks for.
Tensor finish_rows(const IntegerOutput &output, Dims dims, std::span<const std::int32_t> sums);

/// Products of a data operand with a constant matrix, [m, k] times [k, n] (or its transpose), as kernels make them:
/// alpha * data * matrix + beta * bias. Followers of float products are taken along.
struct ConstantProduct {
  std::int64_t m = 0, n = 0, k = 0;
  bool transposed = false; ///< the constant is [n, k]
  float alpha = 1, beta = 1;
  const Tensor *bias = nullptr; ///< one, or one per column
};
Result<Kernel> prepare_product(const PrepareArgs &args, const ConstantProduct &product);

} // namespace edgec::ops
