// A dense tensor: immutable, shared bytes in row-major order.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/dtype.h"
#include "support/storage.h"

namespace edgec {

using Dims = std::vector<std::int64_t>;

/// Product of dims (1 for a scalar); nothing if negative or beyond 2^62.
std::optional<std::int64_t> element_count(std::span<const std::int64_t> dims);
/// Bytes of `count` packed elements (sub-byte types: several a byte, low bits first, rounded up).
std::size_t byte_size(DType dtype, std::int64_t count);

/// Numbers or strings in row-major order, little endian; two 4-bit (four 2-bit) elements a byte, first in the low bits.
struct Tensor {
  DType dtype = DType::undefined;
  Dims dims;
  Storage data;                                            // numbers
  std::shared_ptr<const std::vector<std::string>> strings; // DType::string only

  [[nodiscard]] std::int64_t size() const { return element_count(dims).value_or(0); }
  [[nodiscard]] int rank() const { return static_cast<int>(dims.size()); }

  /// The elements as T, whose width must be the dtype's; bytes are aligned for it.
  template <class T>
  [[nodiscard]] std::span<const T> as() const {
    assert(bits(dtype) == static_cast<int>(sizeof(T) * 8));
    return {reinterpret_cast<const T *>(data.data()), data.size() / sizeof(T)};
  }

  template <class T>
  static Tensor of(Dims dims, std::vector<T> values) {
    static_assert(dtype_of<T> != DType::undefined && !std::is_same_v<T, bool>);
    return {dtype_of<T>, std::move(dims), Storage::take(std::move(values)), nullptr};
  }
  template <class T>
  static Tensor scalar(T value) {
    return of<T>({}, std::vector<T>{value});
  }
  /// bytes.size() must be byte_size(dtype, product of dims).
  static Tensor of_bytes(DType dtype, Dims dims, std::vector<std::byte> bytes);
  static Tensor of_strings(Dims dims, std::vector<std::string> values);
};

/// Same dtype, dims and bytes (strings).
bool identical(const Tensor &a, const Tensor &b);

/// Any numeric tensor's elements as doubles / as int64 (floats truncated toward zero, sub-byte unpacked).
std::vector<double> to_doubles(const Tensor &tensor);
std::vector<std::int64_t> to_int64s(const Tensor &tensor);
/// Any numeric tensor as float32.
std::vector<float> to_floats(const Tensor &tensor);
/// Doubles as a tensor of `dtype` with ONNX Cast's rounding (nearest even; integers truncate, then wrap; bool: != 0).
Tensor from_doubles(DType dtype, Dims dims, std::span<const double> values);
Tensor from_int64s(DType dtype, Dims dims, std::span<const std::int64_t> values);

} // namespace edgec
