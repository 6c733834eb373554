#include "kernels/half.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/fast/dispatch.h"
#include "support/half.h"

namespace edgec {
namespace {

constexpr std::int64_t grain = 8192;

#if defined(__x86_64__) // every processor with AVX2 has F16C
constexpr std::int64_t lanes = 8;

[[gnu::target("avx2,f16c")]] void widen_lanes(const std::uint16_t *x, float *y, std::int64_t first, std::int64_t last) {
  for (; first + lanes <= last; first += lanes)
    _mm256_storeu_ps(y + first, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i *>(x + first))));
  for (; first < last; ++first) y[first] = _cvtsh_ss(x[first]);
}

[[gnu::target("avx2,f16c")]] void narrow_lanes(const float *x, std::uint16_t *y, std::int64_t first,
                                               std::int64_t last) {
  constexpr int nearest = _MM_FROUND_TO_NEAREST_INT;
  for (; first + lanes <= last; first += lanes)
    _mm_storeu_si128(reinterpret_cast<__m128i *>(y + first), _mm256_cvtps_ph(_mm256_loadu_ps(x + first), nearest));
  for (; first < last; ++first) y[first] = _cvtss_sh(x[first], nearest);
}
#else
void widen_lanes(const std::uint16_t *x, float *y, std::int64_t first, std::int64_t last) {
  for (; first < last; ++first) y[first] = half_to_float(x[first]);
}
void narrow_lanes(const float *x, std::uint16_t *y, std::int64_t first, std::int64_t last) {
  for (; first < last; ++first) y[first] = float_to_half(x[first]);
}
#endif

} // namespace

void widen(const std::byte *x, DType from, float *y, std::int64_t count, Run run) {
  const auto *codes = reinterpret_cast<const std::uint16_t *>(x);
  const bool lanes_too = run.isa >= Isa::avx2;
  if (from == DType::bfloat16)
    return fast::dispatch(run, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      for (std::int64_t i = first; i < last; ++i) y[i] = bfloat16_to_float(codes[i]);
    });
  fast::dispatch({Isa::scalar, run.threads}, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
    if (lanes_too) return widen_lanes(codes, y, first, last);
    for (std::int64_t i = first; i < last; ++i) y[i] = half_to_float(codes[i]);
  });
}

void narrow(const float *x, DType to, std::byte *y, std::int64_t count, Run run) {
  auto *codes = reinterpret_cast<std::uint16_t *>(y);
  const bool lanes_too = run.isa >= Isa::avx2;
  if (to == DType::bfloat16)
    return fast::dispatch(run, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      for (std::int64_t i = first; i < last; ++i) codes[i] = float_to_bfloat16(x[i]);
    });
  fast::dispatch({Isa::scalar, run.threads}, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
    if (lanes_too) return narrow_lanes(x, codes, first, last);
    for (std::int64_t i = first; i < last; ++i) codes[i] = float_to_half(x[i]);
  });
}

} // namespace edgec
