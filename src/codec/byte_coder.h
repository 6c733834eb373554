// Bytes of small records, such as the graph's FlatBuffer, by mixed contexts: about two thirds of what zstd makes of a
// few kilobytes, at less than a megabyte a second.
#pragma once

#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec {

std::vector<std::byte> encode_bytes(ByteView bytes);

/// The reverse. Any stream may be given; error: its length is not that of what it became.
Status decode_bytes(ByteView stream, std::span<std::byte> bytes);

} // namespace edgec
