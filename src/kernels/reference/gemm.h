// Matrix products as they are defined: y[m, n] = sum over k of a[m, k] * b[k, n].
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/integer.h"
#include "kernels/requantize.h"

namespace edgec::reference {

/// Sizes, and how far apart neighbours lie, in elements.
struct GemmShape {
  std::int64_t m = 0, n = 0, k = 0;
  std::int64_t a_row = 0, a_column = 1; ///< a[m, k] is a[m * a_row + k * a_column]
  std::int64_t b_row = 0, b_column = 1;
};

/// y[m * n] in Sum: double for float, T itself for integers.
template <class Sum, class T>
void gemm(const GemmShape &s, const T *a, const T *b, Sum *y) {
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      Sum sum = 0;
      for (std::int64_t k = 0; k < s.k; ++k)
        sum += static_cast<Sum>(a[i * s.a_row + k * s.a_column]) * static_cast<Sum>(b[k * s.b_row + j * s.b_column]);
      y[i * s.n + j] = sum;
    }
}

/// Codes minus their zero points, accumulated in 32 bits that wrap around.
void gemm(const GemmShape &shape, std::span<const std::int16_t> a, std::span<const std::int16_t> b,
          std::span<std::int32_t> y);

} // namespace edgec::reference
