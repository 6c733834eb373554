#include "ir/float8.h"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

namespace edgec {
namespace {

/// Layout of a small float: sign bit (unless exponent-only), exponent and mantissa widths, bias, special codes.
struct Format {
  int exponent_bits, mantissa_bits, bias;
  bool has_infinity; // e5m2
  bool fnuz;         // only NaN is 0x80, no negative zero
};

Format format(DType dtype) {
  switch (dtype) {
  case DType::float8e4m3fn: return {4, 3, 7, false, false};
  case DType::float8e4m3fnuz: return {4, 3, 8, false, true};
  case DType::float8e5m2: return {5, 2, 15, true, false};
  case DType::float8e5m2fnuz: return {5, 2, 16, false, true};
  default: return {2, 1, 1, false, false}; // float4e2m1
  }
}

float decode(DType dtype, std::uint8_t code) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  if (dtype == DType::float8e8m0) return code == 0xff ? nan : std::ldexp(1.0F, code - 127);
  const Format f = format(dtype);
  const int width = 1 + f.exponent_bits + f.mantissa_bits;
  const bool negative = (code >> (width - 1)) & 1;
  const int exponent = (code >> f.mantissa_bits) & ((1 << f.exponent_bits) - 1);
  const int mantissa = code & ((1 << f.mantissa_bits) - 1);
  if (f.fnuz && code == 0x80) return nan;
  if (dtype == DType::float8e4m3fn && (code & 0x7f) == 0x7f) return nan;
  if (f.has_infinity && exponent == 31)
    return mantissa != 0 ? nan : (negative ? -1.0F : 1.0F) * std::numeric_limits<float>::infinity();
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), 1 - f.bias - f.mantissa_bits)
                                        : std::ldexp(static_cast<float>(mantissa + (1 << f.mantissa_bits)),
                                                     exponent - f.bias - f.mantissa_bits);
  return negative ? -magnitude : magnitude;
}

/// Non-negative finite values in order of their codes: codes 0 .. size-1.
std::vector<float> positive_values(DType dtype) {
  std::vector<float> values;
  const int half = dtype == DType::float4e2m1 ? 8 : 128;
  for (int code = 0; code < half; ++code) {
    const float value = decode(dtype, static_cast<std::uint8_t>(code));
    if (!std::isfinite(value)) break;
    values.push_back(value);
  }
  return values;
}

const std::vector<float> &cached_values(DType dtype) {
  static const std::array<std::vector<float>, dtype_count> tables = [] {
    std::array<std::vector<float>, dtype_count> all;
    for (const DType d :
         {DType::float8e4m3fn, DType::float8e4m3fnuz, DType::float8e5m2, DType::float8e5m2fnuz, DType::float4e2m1})
      all[static_cast<std::size_t>(d)] = positive_values(d);
    return all;
  }();
  return tables[static_cast<std::size_t>(dtype)];
}

/// Rounded up to a power of two, as Cast does by default.
std::uint8_t encode_exponent_only(float value) {
  if (std::isnan(value)) return 0xff;
  if (!(value > 0)) return 0;
  if (std::isinf(value)) return 0xfe;
  int exponent = 0;
  const float fraction = std::frexp(value, &exponent); // value = fraction * 2^exponent, fraction in [0.5, 1)
  const int rounded = exponent - 1 + (fraction > 0.5F ? 1 : 0);
  return static_cast<std::uint8_t>(std::min(254, std::max(0, rounded + 127)));
}

} // namespace

float float8_to_float(DType dtype, std::uint8_t code) { return decode(dtype, code); }

std::uint8_t float_to_float8(DType dtype, float value) {
  if (dtype == DType::float8e8m0) return encode_exponent_only(value);
  const Format f = format(dtype);
  const auto sign = static_cast<std::uint8_t>(std::signbit(value) ? 1 << (f.exponent_bits + f.mantissa_bits) : 0);
  if (std::isnan(value)) return f.fnuz ? 0x80 : dtype == DType::float4e2m1 ? 8 : static_cast<std::uint8_t>(sign | 0x7f);
  const auto &values = cached_values(dtype);
  const float magnitude = std::abs(value);
  std::size_t low = 0;
  std::size_t high = values.size() - 1;
  if (magnitude >= values[high]) return static_cast<std::uint8_t>(sign | high);
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    (values[middle] <= magnitude ? low : high) = middle;
  }
  const float below = magnitude - values[low];
  const float above = values[high] - magnitude;
  const std::size_t nearest = below < above ? low : above < below ? high : (low % 2 == 0 ? low : high);
  if (f.fnuz && nearest == 0) return 0;
  return static_cast<std::uint8_t>(sign | nearest);
}

} // namespace edgec
