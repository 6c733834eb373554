// What products are made of.
#pragma once

namespace edgec::fast {

/// What the float operands of a product are rounded to; sums are float32 always.
enum class Operands : unsigned char { float32, bfloat16 };

} // namespace edgec::fast
