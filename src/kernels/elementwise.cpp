#include "kernels/elementwise.h"

#include <cmath>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/fast/dispatch.h"

namespace edgec {
namespace {

using fast::dispatch;

constexpr std::int64_t grain = 16384; // elements worth another thread

/// Calls f with a value of the C++ type of 8-bit codes.
template <class F>
void with_code(DType dtype, F &&f) {
  if (dtype == DType::uint8)
    f(std::uint8_t{});
  else
    f(std::int8_t{});
}

template <class T>
const T *as(const std::byte *bytes) {
  return reinterpret_cast<const T *>(bytes);
}
template <class T>
T *as(std::byte *bytes) {
  return reinterpret_cast<T *>(bytes);
}

/// Rounded half to even and saturated; the bounds are integers, so the order does not matter.
template <class T>
EDGEC_INLINE inline T saturate(float value, float low, float high) {
  float rounded = __builtin_nearbyintf(value);
  rounded = rounded > low ? rounded : low;
  rounded = rounded < high ? rounded : high;
  return static_cast<T>(static_cast<std::int32_t>(rounded));
}

template <class T>
EDGEC_INLINE inline T saturate(float value, std::int32_t zero_point, float low, float high) {
  float rounded = __builtin_nearbyintf(value);
  rounded = rounded > low ? rounded : low;
  rounded = rounded < high ? rounded : high;
  return static_cast<T>(static_cast<std::int32_t>(rounded) + zero_point);
}

std::int32_t code_at(DType dtype, int byte) {
  return dtype == DType::uint8 ? byte : static_cast<std::int8_t>(static_cast<std::uint8_t>(byte));
}

} // namespace

QuantizedAdd::QuantizedAdd(Codes a, Codes b, Codes y) : dtype(y.dtype), ra(a.scale / y.scale), rb(b.scale / y.scale) {
  const auto za = static_cast<float>(a.zero_point), zb = static_cast<float>(b.zero_point);
  c = static_cast<float>(y.zero_point) - std::fma(ra, za, rb * zb);
}

void add(const QuantizedAdd &p, const std::byte *a, const std::byte *b, bool one_b, std::byte *y, std::int64_t count,
         Run run) {
  const CodeRange range = CodeRange::of(p.dtype);
  const auto low = static_cast<float>(range.low), high = static_cast<float>(range.high);
  const float ra = p.ra, rb = p.rb, c = p.c;
  with_code(p.dtype, [&]<class T>(T) {
    const T *x = as<T>(a), *z = as<T>(b);
    T *out = as<T>(y);
    if (one_b) {
      const float other = std::fma(static_cast<float>(*z), rb, c);
      dispatch(run, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
        for (std::int64_t i = first; i < last; ++i)
          out[i] = saturate<T>(__builtin_fmaf(static_cast<float>(x[i]), ra, other), low, high);
      });
      return;
    }
    dispatch(run, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      for (std::int64_t i = first; i < last; ++i) {
        const float other = __builtin_fmaf(static_cast<float>(z[i]), rb, c);
        out[i] = saturate<T>(__builtin_fmaf(static_cast<float>(x[i]), ra, other), low, high);
      }
    });
  });
}

QuantizedMul::QuantizedMul(Codes a, Codes b, Codes y)
    : dtype(y.dtype), za(a.zero_point), zb(b.zero_point), zy(y.zero_point), scale((a.scale * b.scale) / y.scale) {}

void mul(const QuantizedMul &p, const std::byte *a, const std::byte *b, bool one_b, std::byte *y, std::int64_t count,
         Run run) {
  const CodeRange range = CodeRange::of(p.dtype);
  const auto low = static_cast<float>(range.low), high = static_cast<float>(range.high), zy = static_cast<float>(p.zy);
  const std::int32_t za = p.za, zb = p.zb;
  const float scale = p.scale;
  with_code(p.dtype, [&]<class T>(T) {
    const T *x = as<T>(a), *z = as<T>(b);
    T *out = as<T>(y);
    if (one_b) {
      const std::int32_t other = *z - zb;
      dispatch(run, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
        for (std::int64_t i = first; i < last; ++i)
          out[i] = saturate<T>(static_cast<float>((x[i] - za) * other) * scale + zy, low, high);
      });
      return;
    }
    dispatch(run, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      for (std::int64_t i = first; i < last; ++i)
        out[i] = saturate<T>(static_cast<float>((x[i] - za) * (z[i] - zb)) * scale + zy, low, high);
    });
  });
}

CodeTable make_table(Codes x, Codes y, const std::function<float(float)> &f) {
  CodeTable table;
  const CodeRange range = CodeRange::of(y.dtype);
  for (int byte = 0; byte < 256; ++byte) {
    const float real = static_cast<float>(code_at(x.dtype, byte) - x.zero_point) * x.scale;
    table[static_cast<std::size_t>(byte)] =
        static_cast<std::byte>(to_code(f(real) / y.scale, y.zero_point, range) & 0xff);
  }
  return table;
}

CodeTable requantize_table(Codes x, Codes y) {
  return make_table(x, y, [](float real) { return real; });
}

bool is_identity(const CodeTable &table) {
  for (std::size_t i = 0; i < table.size(); ++i)
    if (table[i] != static_cast<std::byte>(i)) return false;
  return true;
}

namespace {

void look_up(const CodeTable &table, const std::byte *x, std::byte *y, std::int64_t rows, std::int64_t size,
             std::int64_t stride) {
  for (std::int64_t r = 0; r < rows; ++r, x += size, y += stride)
    for (std::int64_t i = 0; i < size; ++i) y[i] = table[static_cast<std::size_t>(x[i])];
}

#if defined(__x86_64__)
/// 64 look-ups at once: two 128-entry byte permutes, chosen by the top bit.
[[gnu::target("avx512f,avx512bw,avx512vbmi")]] void permute(const CodeTable &table, const std::byte *x, std::byte *y,
                                                            std::int64_t rows, std::int64_t size, std::int64_t stride) {
  const __m512i t0 = _mm512_loadu_si512(table.data()), t1 = _mm512_loadu_si512(table.data() + 64);
  const __m512i t2 = _mm512_loadu_si512(table.data() + 128), t3 = _mm512_loadu_si512(table.data() + 192);
  for (std::int64_t r = 0; r < rows; ++r, x += size, y += stride)
    for (std::int64_t i = 0; i < size; i += 64) {
      const __mmask64 live = size - i >= 64 ? ~__mmask64{0} : (__mmask64{1} << (size - i)) - 1;
      const __m512i codes = _mm512_maskz_loadu_epi8(live, x + i);
      const __m512i low = _mm512_permutex2var_epi8(t0, codes, t1), high = _mm512_permutex2var_epi8(t2, codes, t3);
      _mm512_mask_storeu_epi8(y + i, live, _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), low, high));
    }
}

const bool has_vbmi = [] {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512vbmi") != 0;
}();

auto table_loop(Isa isa) { return isa >= Isa::vnni && has_vbmi ? permute : look_up; }
#else
auto table_loop(Isa) { return look_up; }
#endif

} // namespace

void apply_table(const CodeTable &table, const std::byte *x, std::byte *y, std::int64_t count, Run run) {
  const auto loop = table_loop(run.isa);
  dispatch({Isa::scalar, run.threads}, count, grain,
           [&](std::int64_t first, std::int64_t last) { loop(table, x + first, y + first, 1, last - first, 0); });
}

void apply_table_rows(const CodeTable &table, const std::byte *x, std::byte *y, std::int64_t rows, std::int64_t size,
                      std::int64_t stride, Run run) {
  const auto loop = table_loop(run.isa);
  dispatch({Isa::scalar, run.threads}, rows, grain / (size + 1) + 1, [&](std::int64_t first, std::int64_t last) {
    loop(table, x + first * size, y + first * stride, last - first, size, stride);
  });
}

void copy_rows(const std::byte *x, std::byte *y, std::int64_t rows, std::int64_t size, std::int64_t stride, Run run) {
  constexpr std::int64_t piece = 32;
  dispatch(run, rows, 4 * grain / (size + 1) + 1, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
    for (std::int64_t r = first; r < last; ++r) {
      const std::byte *from = x + r * size;
      std::byte *to = y + r * stride;
      if (size < piece || size > 1024) {
        std::memcpy(to, from, static_cast<std::size_t>(size));
        continue;
      }
      for (std::int64_t i = 0; i + piece < size; i += piece) std::memcpy(to + i, from + i, piece);
      std::memcpy(to + size - piece, from + size - piece, piece); // overlaps the piece before it
    }
  });
}

void quantize(const float *x, Codes to, std::byte *y, std::int64_t count, Run run) {
  const CodeRange range = CodeRange::of(to.dtype);
  const std::int32_t zero_point = to.zero_point;
  const auto low = static_cast<float>(range.low - zero_point), high = static_cast<float>(range.high - zero_point);
  const float scale = to.scale;
  with_code(to.dtype, [&]<class T>(T) {
    T *out = as<T>(y);
    dispatch(run, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      for (std::int64_t i = first; i < last; ++i) out[i] = saturate<T>(x[i] / scale, zero_point, low, high);
    });
  });
}

void quantize_channels_last(const float *x, Codes to, std::byte *y, std::int64_t batch, std::int64_t channels,
                            std::int64_t area, Run run) {
  constexpr std::int64_t strip = 256; // positions quantized channel by channel, then interleaved while in cache
  const std::int64_t strips = (area + strip - 1) / strip;
  const CodeRange range = CodeRange::of(to.dtype);
  const std::int32_t zero_point = to.zero_point;
  const auto low = static_cast<float>(range.low - zero_point), high = static_cast<float>(range.high - zero_point);
  const float scale = to.scale;
  const std::int64_t together = channels == 3 ? 3 : 1;
  with_code(to.dtype, [&]<class T>(T) {
    T *out = as<T>(y);
    dispatch(run, batch * strips, std::max<std::int64_t>(1, grain / (strip * channels)),
             [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
               T codes[3][strip];
               for (std::int64_t item = first; item < last; ++item) {
                 const std::int64_t n = item / strips, start = item % strips * strip,
                                    size = std::min(strip, area - start);
                 for (std::int64_t c0 = 0; c0 < channels; c0 += together) {
                   for (std::int64_t c = 0; c < together; ++c) {
                     const float *from = x + (n * channels + c0 + c) * area + start;
                     for (std::int64_t i = 0; i < size; ++i)
                       codes[c][i] = saturate<T>(from[i] / scale, zero_point, low, high);
                   }
                   T *target = out + (n * area + start) * channels + c0;
                   if (together == 3)
                     for (std::int64_t i = 0; i < size; ++i)
                       for (std::int64_t c = 0; c < 3; ++c) target[i * 3 + c] = codes[c][i];
                   else
                     for (std::int64_t i = 0; i < size; ++i) target[i * channels] = codes[0][i];
                 }
               }
             });
  });
}

void dequantize(const std::byte *x, Codes from, float *y, std::int64_t count, Run run) {
  const std::int32_t zero_point = from.zero_point;
  const float scale = from.scale;
  with_code(from.dtype, [&]<class T>(T) {
    const T *codes = as<T>(x);
    dispatch(run, count, grain, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      for (std::int64_t i = first; i < last; ++i) y[i] = static_cast<float>(codes[i] - zero_point) * scale;
    });
  });
}

} // namespace edgec
