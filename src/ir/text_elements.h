// Parts of the textual syntax that printer and parser share.
#pragma once

#include "ir/dtype.h"
#include "ir/tensor.h"

namespace edgec {

/// Sub-graphs and types nest at most this deep.
inline constexpr int max_text_depth = 32;

/// The integers that an element type without a spelling of its own is written as: the bits of 16-, 8- and 4-bit floats.
inline DType written_as(DType dtype) {
  if (!is_float(dtype) || bits(dtype) > 16) return dtype;
  return bits(dtype) == 16 ? DType::uint16 : bits(dtype) == 8 ? DType::uint8 : DType::uint4;
}

} // namespace edgec
