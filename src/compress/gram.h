// Products of columns, summed over many rows: what second moments are made of.
#pragma once

#include <cstddef>

namespace edgec {

/// out[ka, kb] = a^T b for a[n, ka] and b[n, kb], rows `a_stride` and `b_stride` apart, in float32. Runs on the calling
/// thread alone.
void gram(std::size_t n, const float *a, std::size_t ka, std::size_t a_stride, const float *b, std::size_t kb,
          std::size_t b_stride, float *out);

} // namespace edgec
