#include "kernels/reference/gemm.h"

namespace edgec::reference {

void gemm(const GemmShape &s, std::span<const std::int16_t> a, std::span<const std::int16_t> b,
          std::span<std::int32_t> y) {
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < s.k; ++k)
        sum = wrapping_add(sum, a[i * s.a_row + k * s.a_column] * b[k * s.b_row + j * s.b_column]);
      y[i * s.n + j] = sum;
    }
}

} // namespace edgec::reference
