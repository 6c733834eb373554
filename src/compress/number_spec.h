// How numbers are stored as integers.
#pragma once

#include <cstdint>

#include "ir/dtype.h"

namespace edgec {

/// Integers of so many bits, symmetric around 0 or with a zero point, and what shares a scale.
struct NumberSpec {
  int bits = 8;
  bool symmetric = true;
  std::int64_t block = 0;    ///< numbers along the axis that is summed over; 0: a channel, or all of an activation
  bool has_sign = symmetric; ///< codes begin at -2^(bits - 1), not at 0
  bool narrow = bits >= 8;   ///< symmetric codes leave -2^(bits - 1) out

  /// ONNX has no type of 3 or 7 bits: files that code by entropy take no more for them.
  [[nodiscard]] constexpr DType storage() const {
    if (bits > 8) return has_sign ? DType::int16 : DType::uint16;
    if (bits > 4) return has_sign ? DType::int8 : DType::uint8;
    if (bits == 2) return has_sign ? DType::int2 : DType::uint2;
    return has_sign ? DType::int4 : DType::uint4;
  }
  [[nodiscard]] constexpr int low() const { return !has_sign ? 0 : symmetric && narrow ? -levels() : -levels() - 1; }
  [[nodiscard]] constexpr int high() const { return has_sign ? levels() : (1 << bits) - 1; }
  /// The largest code of a symmetric number.
  [[nodiscard]] constexpr int levels() const { return (1 << (bits - 1)) - 1; }
  /// Integer kernels read values so: products of others are computed on the reals that codes stand for.
  [[nodiscard]] constexpr bool has_integer_kernels() const { return bits > 4 && bits <= 8; }
  /// Below this opset ONNX has no DequantizeLinear of such tensors.
  [[nodiscard]] constexpr int least_opset() const {
    return bits == 2 ? 25 : bits <= 4 || bits > 8 || block > 0 ? 21 : 13;
  }

  friend bool operator==(const NumberSpec &, const NumberSpec &) = default;
};

} // namespace edgec
