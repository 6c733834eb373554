// What an array of small integer codes is: a weight of rows x columns x taps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace edgec {

/// Codes in row-major order. rows: the first dimension (outputs of a Conv, [out, in / group, kh, kw]); columns: the
/// second (its inputs); taps: the product of the rest.
struct CodeShape {
  std::size_t rows = 1, columns = 1, taps = 1;
  [[nodiscard]] std::size_t count() const { return rows * columns * taps; }
  friend bool operator==(const CodeShape &, const CodeShape &) = default;
};

/// columns * taps of a shape that a coder takes: what it keeps for each of them stays small.
inline constexpr std::size_t max_row = std::size_t{1} << 20;

/// A vector, and what has longer rows, is a column; a scalar is one code. Dims as a tensor has them: none negative,
/// their product below 2^62.
constexpr CodeShape code_shape(std::span<const std::int64_t> dims) {
  CodeShape shape;
  if (!dims.empty()) shape.rows = static_cast<std::size_t>(dims[0]);
  if (dims.size() >= 2) shape.columns = static_cast<std::size_t>(dims[1]);
  for (std::size_t i = 2; i < dims.size(); ++i) shape.taps *= static_cast<std::size_t>(dims[i]);
  if (shape.columns * shape.taps > max_row) shape = {shape.count(), 1, 1};
  return shape;
}

} // namespace edgec
