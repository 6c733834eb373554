// Numbers of variable length: seven bits a byte, the low ones first, the top bit set where more follow.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "support/storage.h"

namespace edgec {

inline void put_varint(std::vector<std::byte> &bytes, std::uint64_t value) {
  for (; value >= 128; value >>= 7) bytes.push_back(static_cast<std::byte>((value & 127) | 128));
  bytes.push_back(static_cast<std::byte>(value));
}

/// Takes one from the front; nothing where it is cut off or beyond 2^56.
inline std::optional<std::uint64_t> take_varint(ByteView &bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 8; ++i) {
    const auto byte = std::to_integer<std::uint64_t>(bytes[i]);
    value |= (byte & 127) << (7 * i);
    if (byte >= 128) continue;
    bytes = bytes.subspan(i + 1);
    return value;
  }
  return std::nullopt;
}

} // namespace edgec
