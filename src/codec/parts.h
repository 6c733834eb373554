// Several buffers in one, each packed in its own way: small tensors pay neither for rows of a table nor for alignment.
#pragma once

#include "codec/pack.h"

namespace edgec {

inline constexpr std::size_t part_alignment = 16; ///< of each buffer's first byte among the raw ones

struct Part {
  Packing packing;
  ByteView stored; ///< the raw bytes where packing is plain
};

/// A directory, then the stored bytes of each.
std::vector<std::byte> join_parts(std::span<const Part> parts);

/// Where each begins among the raw bytes; one more for their end.
std::vector<std::uint64_t> part_offsets(std::span<const Part> parts);

/// What is in it. Errors: a directory that is cut off or does not fit; parts within parts.
Result<std::vector<Part>> split_parts(ByteView joined);

/// The raw buffers, each at its offset, zeros between them: raw_size bytes, which the caller limits.
Result<std::vector<std::byte>> unpack_parts(ByteView joined, std::size_t raw_size, int threads);

} // namespace edgec
