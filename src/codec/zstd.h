// Zstandard (RFC 8878), one frame a buffer.
#pragma once

#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// The same bytes for the same input, level and library version, whatever the number of threads. level 1..19.
/// Empty, which no frame is, where zstd finds no memory, or once interrupted.
std::vector<std::byte> zstd_compress(ByteView raw, int level);

/// Exactly one frame that becomes exactly raw_size bytes; the caller limits raw_size.
Result<std::vector<std::byte>> zstd_decompress(ByteView frame, std::size_t raw_size);

} // namespace edgec
