// Makes the checksums of a changed file right, by the format's description (src/formats/flat/FORMAT.md).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>
#include <zlib.h>

namespace edgec::testing {

template <class T>
T get(const std::vector<std::byte> &file, std::size_t offset) {
  T value{};
  if (offset + sizeof(T) <= file.size()) std::memcpy(&value, file.data() + offset, sizeof(T));
  return value;
}

template <class T>
void put(std::vector<std::byte> &file, std::size_t offset, T value) {
  if (offset + sizeof(T) <= file.size()) std::memcpy(file.data() + offset, &value, sizeof(T));
}

inline std::uint32_t crc(const std::vector<std::byte> &file, std::size_t offset, std::size_t size,
                         std::uint32_t before = 0) {
  return static_cast<std::uint32_t>(crc32_z(before, reinterpret_cast<const Bytef *>(file.data() + offset), size));
}

/// Offset of row `i` of the section table.
constexpr std::size_t row(std::size_t i) { return 64 + 64 * i; }

inline void seal(std::vector<std::byte> &file) {
  if (file.size() < 64) return;
  const std::size_t rows = std::min<std::size_t>(get<std::uint32_t>(file, 32), (file.size() - 64) / 64);
  for (std::size_t i = 0; i < rows; ++i) {
    const auto offset = get<std::uint64_t>(file, row(i) + 8);
    const auto size = get<std::uint64_t>(file, row(i) + 16);
    if (offset > file.size() || size > file.size() - offset) continue;
    put(file, row(i) + 40, crc(file, offset, size));
  }
  put<std::uint64_t>(file, 16, file.size());
  put<std::uint32_t>(file, 60, 0);
  put(file, 60, crc(file, 64, rows * 64, crc(file, 0, 64)));
}

} // namespace edgec::testing
