// A FlatBuffer as a record without offsets and alignment: a fifth of its size, before any coder. Works on any schema
// by what flatc tells of it; FORMAT.md describes it as "compact graph".
#pragma once

#include <vector>

#include "support/result.h"
#include "support/storage.h"

namespace edgec::flat {

/// The record of a graph section's FlatBuffer, which must be sound.
std::vector<std::byte> compact_graph(ByteView flatbuffer);

/// A FlatBuffer that says the same as the one the record was made of (not the same bytes). Any bytes may be given.
Result<std::vector<std::byte>> expand_graph(ByteView record);

} // namespace edgec::flat
