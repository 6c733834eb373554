// Lossless rewritings of an array of elements of equal width (1, 2, 4 or 8 bytes) that make it smaller, or easier for a
// general compressor. Each payload describes itself, but for the size of the array, which its container declares.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// Numbers stored in files: never reuse one.
enum class Transform : std::uint8_t {
  none = 0,
  palette = 1, ///< u8 width, u8 bits, u16 count - 1, `count` different elements, packed codes (codec/codes.h)
  sparse =
      2, ///< u8 width, a bit an element (1: not all bytes zero; first in the lowest bit), elements that are not zero
  planes = 3, ///< u8 width, then every element's byte 0, every element's byte 1, ...
  codes = 4,  ///< u8 bits (2 or 4; + 128: signed), then each of the packed codes in a byte of its own
  hashed = 5, ///< copies of few elements, by a hash of their place (codec/hashed.h)
};
std::string_view name(Transform transform);

/// Elements as codes of `bits` bits into a table sorted by the elements' bytes (last byte first: little-endian
/// unsigned order). Nothing where there are more than 2^bits different elements, or raw is not a multiple of width.
std::optional<std::vector<std::byte>> encode_palette(ByteView raw, std::size_t width, int bits);
/// Number of different elements, or nothing beyond 256.
std::optional<std::size_t> palette_size(ByteView raw, std::size_t width);
std::optional<std::vector<std::byte>> encode_sparse(ByteView raw, std::size_t width);
std::optional<std::vector<std::byte>> encode_planes(ByteView raw, std::size_t width);
/// 8 / bits codes of each byte, the lowest bits first; signed ones are two's complement. bits 2 or 4.
std::vector<std::byte> encode_codes(ByteView raw, int bits, bool is_signed);

/// Undo them: exactly `raw_size` bytes come out. Nothing in a payload is trusted; the caller limits raw_size.
Result<std::vector<std::byte>> decode_palette(ByteView payload, std::size_t raw_size);
Result<std::vector<std::byte>> decode_sparse(ByteView payload, std::size_t raw_size);
Result<std::vector<std::byte>> decode_planes(ByteView payload, std::size_t raw_size);
Result<std::vector<std::byte>> decode_codes(ByteView payload, std::size_t raw_size);

} // namespace edgec
