#include "kernels/fast/tile.h"

#include <algorithm>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET [[gnu::target("avx2,fma")]]
#define INLINE TARGET __attribute__((always_inline)) inline

namespace edgec::fast {
namespace {

using Ints = __m256i;
constexpr int lanes = 8;

INLINE Ints zero() { return _mm256_setzero_si256(); }
INLINE Ints broadcast(const std::byte *p) {
  std::int32_t word;
  std::memcpy(&word, p, 4);
  return _mm256_set1_epi32(word);
}
INLINE Ints load(const std::byte *p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(p)); }
INLINE Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
INLINE Ints dot(Ints sum, Ints row, Ints column) { return _mm256_add_epi32(sum, _mm256_madd_epi16(row, column)); }

INLINE Ints multiply_words(Ints a, Ints b) { return _mm256_mullo_epi32(a, b); }
template <bool is_signed>
INLINE Ints load_codes(const std::byte *p) {
  const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(p));
  return is_signed ? _mm256_cvtepi8_epi32(codes) : _mm256_cvtepu8_epi32(codes);
}

INLINE void finish_code(Ints total, const float *scales, const TileOutput &output, std::byte *y, int count) {
  __m256 real = _mm256_mul_ps(_mm256_cvtepi32_ps(total), _mm256_loadu_ps(scales));
  real = _mm256_round_ps(real, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  real = _mm256_min_ps(_mm256_max_ps(real, _mm256_set1_ps(output.low)), _mm256_set1_ps(output.high));
  const Ints code = _mm256_add_epi32(_mm256_cvtps_epi32(real), _mm256_set1_epi32(output.zero_point));
  const Ints low_bytes = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 4, 8, 12, -1,
                                          -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const Ints bytes = _mm256_shuffle_epi8(code, low_bytes);
  const std::uint64_t eight = static_cast<std::uint32_t>(_mm256_cvtsi256_si32(bytes)) |
                              static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_extract_epi32(bytes, 4)))
                                  << 32;
  if (count == lanes)
    std::memcpy(y, &eight, 8);
  else
    std::memcpy(y, &eight, static_cast<std::size_t>(count));
}

INLINE void store_words(__m256i words, std::byte *y, int count) {
  alignas(32) std::int32_t all[lanes];
  if (count == lanes) return _mm256_storeu_si256(reinterpret_cast<__m256i *>(y), words);
  _mm256_store_si256(reinterpret_cast<__m256i *>(all), words);
  std::memcpy(y, all, static_cast<std::size_t>(count) * 4);
}
INLINE void finish_real(Ints total, const float *scales, std::byte *y, int count) {
  store_words(_mm256_castps_si256(_mm256_mul_ps(_mm256_cvtepi32_ps(total), _mm256_loadu_ps(scales))), y, count);
}
INLINE void store_sum(Ints total, std::byte *y, int count) { store_words(total, y, count); }

} // namespace
} // namespace edgec::fast

#include "kernels/fast/tile.inc"

namespace edgec::fast {
namespace {

void run(const TileJob &job) {
  if (job.width > lanes)
    multiply_all<6, 2>(job);
  else
    multiply_all<8, 1>(job);
}

} // namespace

const TileSet tile_pairs_avx2{lanes, 2, run, run_depthwise};

} // namespace edgec::fast
#else
namespace edgec::fast {
const TileSet tile_pairs_avx2{8, 2, nullptr, nullptr};
}
#endif
