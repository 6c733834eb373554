// Element-wise integer operators on codes: parameters derived once, and the loops over them. Every function gives the
// same bits on every instruction set and for any number of threads; `Isa::scalar` is the definition.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "ir/dtype.h"
#include "ir/kernel.h"
#include "kernels/requantize.h"

namespace edgec {

/// What the codes of a tensor (uint8 or int8) stand for: real = scale * (code - zero_point).
struct Codes {
  DType dtype = DType::uint8;
  float scale = 1;
  std::int32_t zero_point = 0;
};

/// How a loop may run.
struct Run {
  Isa isa = Isa::scalar;
  int threads = 1;
};

/// y = a + b as onnxruntime's QLinearAdd: round(fma(a, ra, fma(b, rb, c))), saturated; ra = sa / sy, rb = sb / sy,
/// c = zy - fma(ra, za, rb * zb). a, b and y have one dtype.
struct QuantizedAdd {
  DType dtype = DType::uint8;
  float ra = 1, rb = 1, c = 0;
  QuantizedAdd(Codes a, Codes b, Codes y);
};
/// `count` elements; where `one_b`, b is a single element.
void add(const QuantizedAdd &add, const std::byte *a, const std::byte *b, bool one_b, std::byte *y, std::int64_t count,
         Run run);

/// y = a * b as onnxruntime's QLinearMul: round(float((a - za) * (b - zb)) * ((sa * sb) / sy) + zy), saturated.
struct QuantizedMul {
  DType dtype = DType::uint8;
  std::int32_t za = 0, zb = 0, zy = 0;
  float scale = 1;
  QuantizedMul(Codes a, Codes b, Codes y);
};
void mul(const QuantizedMul &mul, const std::byte *a, const std::byte *b, bool one_b, std::byte *y, std::int64_t count,
         Run run);

/// A function of one code: indexed by the code's byte (int8 in two's complement), gives the output code's byte.
using CodeTable = std::array<std::byte, 256>;

/// y = round(f(x) / sy) + zy, saturated, of every real x that a code stands for.
CodeTable make_table(Codes x, Codes y, const std::function<float(float)> &f);
/// The same reals at another scale, as onnxruntime's QLinearConcat: round((code - zx) * sx / sy) + zy.
CodeTable requantize_table(Codes x, Codes y);
bool is_identity(const CodeTable &table);
void apply_table(const CodeTable &table, const std::byte *x, std::byte *y, std::int64_t count, Run run);
/// The same of rows of `size` bytes that follow each other in x and lie `stride` bytes apart in y.
void apply_table_rows(const CodeTable &table, const std::byte *x, std::byte *y, std::int64_t rows, std::int64_t size,
                      std::int64_t stride, Run run);
/// Copies rows of `size` bytes that follow each other in x to rows `stride` bytes apart in y.
void copy_rows(const std::byte *x, std::byte *y, std::int64_t rows, std::int64_t size, std::int64_t stride, Run run);

/// QuantizeLinear, one scale: saturate(round(x / scale) + zero_point). `to.dtype` is uint8 or int8.
void quantize(const float *x, Codes to, std::byte *y, std::int64_t count, Run run);
/// The same of x[batch, channels, area], written as y[batch, area, channels]: quantizes and goes to channels_last.
void quantize_channels_last(const float *x, Codes to, std::byte *y, std::int64_t batch, std::int64_t channels,
                            std::int64_t area, Run run);
/// DequantizeLinear, one scale: float(code - zero_point) * scale. `from.dtype` is uint8 or int8.
void dequantize(const std::byte *x, Codes from, float *y, std::int64_t count, Run run);

} // namespace edgec
