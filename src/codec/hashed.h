// Many elements that are copies of few: which of them an element is says a hash of its place (Chen et al. 2015,
// "Compressing neural networks with the hashing trick"), so that nothing but the few is stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// What the hash is made of: a seed, and the number of stored elements (1 .. 2^32 - 1).
struct HashedPlaces {
  std::uint64_t seed = 0;
  std::uint32_t count = 0;
};

/// The stored element of the one at `place` (row * columns + column of a matrix): SplitMix64 (Steele, Lea, Flood 2014)
/// of seed and place, its upper half scaled to 0 .. count - 1.
constexpr std::uint32_t hashed_slot(HashedPlaces places, std::uint64_t place) {
  std::uint64_t z = places.seed + (place + 1) * 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  z ^= z >> 31;
  return static_cast<std::uint32_t>(((z >> 32) * places.count) >> 32);
}

/// How a value's metadata says that its elements are hashed, for whoever writes it: "SEED COUNT". It is a hint: the
/// elements may have changed since.
inline constexpr std::string_view hashed_key = "edgec.hashed";
std::string to_text(HashedPlaces places);
std::optional<HashedPlaces> parse_hashed(std::string_view text);

/// u8 width, three bytes 0, u32 count, u64 seed, `count` elements of `width` bytes. Nothing where elements of one slot
/// differ, or raw is not a multiple of width.
std::optional<std::vector<std::byte>> encode_hashed(ByteView raw, std::size_t width, HashedPlaces places);
/// Exactly `raw_size` bytes, which the caller limits. Errors: a payload that is not what encode_hashed makes: no stored
/// elements, more of them than elements, too few or too many bytes.
Result<std::vector<std::byte>> decode_hashed(ByteView payload, std::size_t raw_size);

} // namespace edgec
