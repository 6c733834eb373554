// What a value is: element type, shape, and how its integers stand for reals.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ir/dtype.h"
#include "ir/tensor.h"

namespace edgec {

/// A dimension: a number, a symbol whose name survives, or unknown.
struct Dim {
  std::int64_t size = -1; // >= 0: known
  std::string symbol;     // not empty: symbolic

  static Dim known(std::int64_t size) { return {size, {}}; }
  static Dim named(std::string symbol) { return {-1, std::move(symbol)}; }
  static Dim unknown() { return {}; }

  [[nodiscard]] bool is_known() const { return size >= 0; }
  friend bool operator==(const Dim &, const Dim &) = default;
};

using Shape = std::vector<Dim>;

/// How integers stand for reals: real = scale * (code - zero_point). Jacob et al. 2018, equation 1.
struct Quant {
  std::vector<float> scales;             ///< one, or one per channel along `axis`
  std::vector<std::int32_t> zero_points; ///< as many as scales
  int axis = -1;                         ///< -1: per tensor
  std::int64_t block = 0;                ///< > 0: blocks of that many elements along `axis` (ONNX opset 21)

  static Quant per_tensor(float scale, std::int32_t zero_point) { return {{scale}, {zero_point}, -1, 0}; }
  [[nodiscard]] bool is_per_tensor() const { return axis < 0; }
  [[nodiscard]] float scale() const { return scales.front(); }
  [[nodiscard]] std::int32_t zero_point() const { return zero_points.front(); }
  friend bool operator==(const Quant &, const Quant &) = default;
};

/// A value's type. A quantized tensor has an integer dtype and a Quant: every operator reads and writes the reals
/// that it stands for. An integer dtype without Quant is plain integers.
struct Type {
  enum class Kind : std::uint8_t { tensor, sequence, optional, map, sparse_tensor, unknown };
  Kind kind = Kind::tensor;
  DType dtype = DType::undefined;      ///< tensor, sparse_tensor; map: the key's
  std::optional<Shape> shape;          ///< absent: rank unknown
  std::optional<Quant> quant;          ///< tensor only
  std::shared_ptr<const Type> element; ///< sequence, optional, map

  static Type tensor(DType dtype, std::optional<Shape> shape = std::nullopt) {
    return {Kind::tensor, dtype, std::move(shape), std::nullopt, nullptr};
  }
  static Type tensor(DType dtype, const Dims &dims);
  static Type of(const Tensor &tensor) { return Type::tensor(tensor.dtype, tensor.dims); }

  [[nodiscard]] bool is_tensor() const { return kind == Kind::tensor; }
  [[nodiscard]] bool is_quantized() const { return quant.has_value(); }
  /// All dims known: the dims; else nothing.
  [[nodiscard]] std::optional<Dims> concrete() const;
  [[nodiscard]] std::optional<int> rank() const;
  friend bool operator==(const Type &a, const Type &b);
};

/// "float[N,3,224,224]", "u8-like quantized types as uint8[1,64]{0.02,12}", "seq(float[?])".
std::string to_string(const Type &type);

} // namespace edgec
