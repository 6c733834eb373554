// Options of half precision.
#pragma once

#include "ir/dtype.h"

namespace edgec {

struct HalfOptions {
  bool float16 = false, bfloat16 = false;
  bool io = false; ///< inputs and outputs of the network, too

  [[nodiscard]] DType dtype() const { return bfloat16 ? DType::bfloat16 : DType::float16; }
};

} // namespace edgec
