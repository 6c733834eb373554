// float16 and bfloat16 to float32 and back.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ir/dtype.h"
#include "kernels/elementwise.h"

namespace edgec {

/// Two bytes an element, and float32 holds every value exactly.
constexpr bool is_half(DType dtype) { return dtype == DType::float16 || dtype == DType::bfloat16; }

/// `count` elements of `from`, a half type, as float32.
void widen(const std::byte *x, DType from, float *y, std::int64_t count, Run run);
/// float32 rounded to the nearest element of `to`, a half type; of two as near, to the even one.
void narrow(const float *x, DType to, std::byte *y, std::int64_t count, Run run);

} // namespace edgec
