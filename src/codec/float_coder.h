// Floats as bits: few different values, few exponents, or short mantissas (halves, bfloat16, steps on a grid) cost
// little.
#pragma once

#include <span>
#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// binary32 elements by their bits, NaNs and -0 included.
std::vector<std::byte> encode_floats(std::span<const std::uint32_t> floats);

/// The reverse. Any stream may be given; error: it is none of so many floats.
Status decode_floats(ByteView stream, std::span<std::uint32_t> floats);

} // namespace edgec
