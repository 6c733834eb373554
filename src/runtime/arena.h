// One block of memory for all intermediate values: who lies where.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace edgec {

/// A buffer that must keep its content from step `first` to step `last`, both included.
struct BufferLife {
  std::size_t bytes = 0;
  std::size_t first = 0, last = 0;
  std::size_t element_bytes = 1;
  std::size_t offset = 0; ///< set by place_buffers
};

/// Gives buffers that live at the same time disjoint, 64-byte aligned places; returns the arena's size. Greedy by size
/// (Pisarchyk and Lee 2020, "Efficient memory management for deep neural net inference", section 5).
std::size_t place_buffers(std::span<BufferLife> buffers);

} // namespace edgec
