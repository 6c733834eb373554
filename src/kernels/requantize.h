// Integer accumulators to codes: the one place that says how edgec rounds (IntegerPolicy::onnx).
//
// It is onnxruntime's arithmetic, bit for bit: y = saturate(round_half_even(float(accumulator) * s) + zero_point) with
// s = (sx * sw) / sy computed in float in that order. Sums of int32 wrap around.
#pragma once

#include <cmath>
#include <cstdint>

#include "ir/dtype.h"

namespace edgec {

/// Smallest and largest code of an integer type of at most 16 bits.
struct CodeRange {
  std::int32_t low = 0, high = 255;
  static CodeRange of(DType dtype) {
    const IntegerRange range = integer_range(dtype);
    return {static_cast<std::int32_t>(range.low), static_cast<std::int32_t>(range.high)};
  }
};

/// Scale from accumulators of sx * sw to codes of sy.
inline float requantize_scale(float sx, float sw, float sy) { return (sx * sw) / sy; }

/// A real in units of the output's scale to a code: rounded half to even, moved by the zero point, saturated. NaN
/// gives the lowest code.
inline std::int32_t to_code(float value, std::int32_t zero_point, CodeRange range) {
  const float low = static_cast<float>(range.low - zero_point), high = static_cast<float>(range.high - zero_point);
  float rounded = std::nearbyintf(value);
  rounded = rounded > low ? rounded : low;
  rounded = rounded < high ? rounded : high;
  return static_cast<std::int32_t>(rounded) + zero_point;
}

inline std::int32_t requantize(std::int32_t accumulator, float scale, std::int32_t zero_point, CodeRange range) {
  return to_code(static_cast<float>(accumulator) * scale, zero_point, range);
}

/// a + b, a * b on int32 that wrap around as hardware accumulators do.
inline std::int32_t wrapping_add(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}
inline std::int32_t wrapping_mul(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) * static_cast<std::uint32_t>(b));
}

} // namespace edgec
