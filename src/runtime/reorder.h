// Between the two layouts of ir/kernel.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ir/kernel.h"

namespace edgec {

/// Copies a tensor of `dims` (axis 1 are the channels) from one layout into the other; equal layouts copy bytes.
/// Elements are 1, 2, 4 or 8 bytes. Uses at most `threads` OpenMP threads.
void reorder(const std::byte *from, Layout from_layout, std::byte *to, Layout to_layout,
             std::span<const std::int64_t> dims, std::size_t element_bytes, int threads);

/// True where both layouts are the same bytes: rank below 3, one channel, or one position.
bool layouts_agree(std::span<const std::int64_t> dims);

} // namespace edgec
