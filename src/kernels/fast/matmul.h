// Matrix products of two activations.
#pragma once

#include <span>
#include <vector>

#include "kernels/elementwise.h"
#include "kernels/fast/operands.h"
#include "kernels/integer.h"
#include "support/result.h"

namespace edgec::fast {

/// A stack of row-major products y[i] = a[a_index[i]] * b[b_index[i]] of [m, k] and [k, n].
struct Products {
  std::int64_t m = 0, n = 0, k = 0;
  std::vector<std::int64_t> a_index, b_index;
};

/// float32; inputs a and b.
Result<Kernel> matmul(const Products &products, Run run, Operands operands = Operands::float32);
/// Codes of at most 8 bits with one zero point each; the output has one scale per column.
Result<Kernel> matmul(const Products &products, Codes a, Codes b, const IntegerOutput &output, Run run);

/// int32 sums of codes of 8 bits, minus their zero points: inputs a, b and, where they are there, scalars of their
/// types.
struct RuntimeCodes {
  DType dtype = DType::uint8;
  int zero_point = -1; ///< which input is it; -1: 0
};
Result<Kernel> matmul(const Products &products, RuntimeCodes a, RuntimeCodes b, Run run);

} // namespace edgec::fast
