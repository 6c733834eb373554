// Element types, numbered as in ONNX's TensorProto.DataType.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace edgec {

enum class DType : std::uint8_t {
  undefined = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  string = 8,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  complex64 = 14,
  complex128 = 15,
  bfloat16 = 16,
  float8e4m3fn = 17,
  float8e4m3fnuz = 18,
  float8e5m2 = 19,
  float8e5m2fnuz = 20,
  uint4 = 21,
  int4 = 22,
  float4e2m1 = 23,
  float8e8m0 = 24,
  uint2 = 25,
  int2 = 26,
};
inline constexpr int dtype_count = 27;

/// Bits an element takes in a tensor's bytes; 0 for strings and undefined.
int bits(DType dtype);
/// ONNX's textual name: "float", "uint8", "bool", ...
std::string_view name(DType dtype);
std::optional<DType> parse_dtype(std::string_view name);

bool is_float(DType dtype);          ///< any floating type, 8 and 4 bit ones too
bool is_integer(DType dtype);        ///< any signed or unsigned integer type, 2 and 4 bit ones too; not bool
bool is_signed_integer(DType dtype); ///< int2 ... int64

/// Smallest and largest value of an integer type of at most 32 bits (uint32: clipped to int64's range).
struct IntegerRange {
  std::int64_t low, high;
};
IntegerRange integer_range(DType dtype);

/// The DType of a C++ type.
template <class T>
inline constexpr DType dtype_of = DType::undefined;
template <>
inline constexpr DType dtype_of<float> = DType::float32;
template <>
inline constexpr DType dtype_of<double> = DType::float64;
template <>
inline constexpr DType dtype_of<std::uint8_t> = DType::uint8;
template <>
inline constexpr DType dtype_of<std::int8_t> = DType::int8;
template <>
inline constexpr DType dtype_of<std::uint16_t> = DType::uint16;
template <>
inline constexpr DType dtype_of<std::int16_t> = DType::int16;
template <>
inline constexpr DType dtype_of<std::uint32_t> = DType::uint32;
template <>
inline constexpr DType dtype_of<std::int32_t> = DType::int32;
template <>
inline constexpr DType dtype_of<std::uint64_t> = DType::uint64;
template <>
inline constexpr DType dtype_of<std::int64_t> = DType::int64;
template <>
inline constexpr DType dtype_of<bool> = DType::boolean;

} // namespace edgec
