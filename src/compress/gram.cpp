#include "compress/gram.h"

#include <algorithm>
#include <cstring>

#include "kernels/fast/onednn.h"
#include "support/vectorize.h"

namespace edgec {
namespace {

constexpr std::size_t few = 9, lanes = 16;

bool has_fused_products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("fma") != 0;
#else
  return false;
#endif
}

using Lanes [[gnu::vector_size(lanes * sizeof(float))]] = float;

[[gnu::always_inline]] inline void add_row(const float *a, const Lanes &b, Lanes (&sums)[few]) {
#pragma GCC unroll 9
  for (std::size_t i = 0; i < few; ++i) sums[i] += a[i] * b; // fused (-ffp-contract)
}

/// Of nine columns each, those of a depthwise 3 x 3 convolution: too few for a call of a library. Reads `lanes` numbers
/// of each row of b but the last.
EDGEC_VECTOR_CLONES void gram_of_few(std::size_t n, const float *a, std::size_t a_stride, const float *b,
                                     std::size_t b_stride, float *out) {
  Lanes sums[few] = {}, numbers{};
  for (; n > 1; --n, a += a_stride, b += b_stride) {
    std::memcpy(&numbers, b, sizeof numbers);
    add_row(a, numbers, sums);
  }
  numbers = Lanes{};
  std::memcpy(&numbers, b, few * sizeof(float));
  add_row(a, numbers, sums);
  for (std::size_t i = 0; i < few; ++i) std::memcpy(out + i * few, &sums[i], few * sizeof(float));
}

} // namespace

void gram(std::size_t n, const float *a, std::size_t ka, std::size_t a_stride, const float *b, std::size_t kb,
          std::size_t b_stride, float *out) {
  if (n == 0) {
    std::fill_n(out, ka * kb, 0.0F);
    return;
  }
  if (has_fused_products() && ka == few && kb == few && b_stride >= lanes)
    return gram_of_few(n, a, a_stride, b, b_stride, out);
  const auto dim = [](std::size_t i) { return static_cast<dnnl_dim_t>(i); };
  const fast::OmpThreads scope(1);
  fast::with_onednn([&] {
    dnnl::error::wrap_c_api(
        dnnl_sgemm('T', 'N', dim(ka), dim(kb), dim(n), 1, a, dim(a_stride), b, dim(b_stride), 0, out, dim(kb)),
        "oneDNN could not multiply matrices");
  });
}

} // namespace edgec
