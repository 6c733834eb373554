// Codes of 1 to 8 bits, one after another, the first in the lowest bits of the first byte.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// Bytes that `count` codes of `bits` bits take.
constexpr std::size_t packed_size(std::size_t count, int bits) {
  const auto width = static_cast<std::size_t>(bits);
  return count / 8 * width + (count % 8 * width + 7) / 8;
}

/// Packs codes below 2^bits; the last byte is filled up with zeros. 1 <= bits <= 8.
std::vector<std::byte> pack_codes(std::span<const std::uint8_t> codes, int bits);

/// The reverse. Errors: bits outside 1..8, packed is not packed_size(count, bits) long, filling bits are not zero.
Result<std::vector<std::uint8_t>> unpack_codes(ByteView packed, int bits, std::size_t count);

} // namespace edgec
