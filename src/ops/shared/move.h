// Moving elements of any type without looking at them.
#pragma once

#include <vector>

#include "ir/opdef.h"

namespace edgec::ops {

/// Operands of one element type as cells of 1, 2, 4, 8 or 16 bytes: sub-byte elements are widened to a byte, strings
/// replaced by numbers. finish() makes a tensor of the type again.
class Cells {
public:
  explicit Cells(std::span<const Tensor *const> operands);
  explicit Cells(const Tensor &operand) : Cells(std::vector<const Tensor *>{&operand}) {}

  [[nodiscard]] std::size_t width() const { return width_; }
  [[nodiscard]] const std::byte *data(std::size_t operand = 0) const { return data_[operand]; }
  /// Space for the cells of a tensor of `dims`, all bytes 0.
  [[nodiscard]] std::vector<std::byte> space(const Dims &dims) const;
  [[nodiscard]] Tensor finish(Dims dims, std::vector<std::byte> cells) const;

private:
  DType dtype_;
  std::size_t width_ = 1;
  std::vector<const std::byte *> data_;
  std::vector<std::vector<std::byte>> own_;
  std::vector<std::string> strings_;
};

/// The tensor out[i] = in[sources[i]]; a negative source takes the element of `fill` (may be null: zero).
Tensor take_elements(const Tensor &in, const Dims &dims, std::span<const std::int64_t> sources,
                     const Tensor *fill = nullptr);

/// Copies the elements of an array of `dims`, whose neighbours along axis i lie strides[i] cells apart from `in` on, to
/// `out` one after another. On up to `threads` threads.
void copy_strided(const std::byte *in, const Dims &dims, std::span<const std::int64_t> strides, std::byte *out,
                  std::size_t width, int threads = 1);
/// Copies elements by tables, one per axis: out[i, j, ...] = in[tables[0][i], tables[1][j], ...]. A negative entry
/// takes the cell `fill`. `in` and the result lie row-major in the order of the tables.
void copy_by_tables(const std::byte *in, const Dims &in_dims, std::span<const std::vector<std::int64_t>> tables,
                    const std::byte *fill, std::byte *out, std::size_t width, int threads = 1);

/// The reverse: reads one after another and writes in strides.
void scatter_strided(const std::byte *in, const Dims &dims, std::span<const std::int64_t> strides, std::byte *out,
                     std::size_t width);

} // namespace edgec::ops
