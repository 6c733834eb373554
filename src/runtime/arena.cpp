#include "runtime/arena.h"

#include <algorithm>
#include <numeric>

namespace edgec {

std::size_t place_buffers(std::span<BufferLife> buffers) {
  constexpr std::size_t alignment = 64;
  std::vector<std::size_t> by_size(buffers.size());
  std::iota(by_size.begin(), by_size.end(), std::size_t{0});
  std::ranges::stable_sort(by_size, std::greater{}, [&](std::size_t i) { return buffers[i].bytes; });
  std::vector<const BufferLife *> placed; // by offset
  std::size_t total = 0;
  for (const std::size_t i : by_size) {
    BufferLife &buffer = buffers[i];
    const std::size_t size = (buffer.bytes + alignment - 1) / alignment * alignment;
    std::size_t offset = 0;
    for (const BufferLife *other : placed) {
      const bool together = other->first <= buffer.last && buffer.first <= other->last;
      if (!together) continue;
      if (other->offset >= offset + size) break;
      offset = std::max(offset, other->offset + (other->bytes + alignment - 1) / alignment * alignment);
    }
    buffer.offset = offset;
    total = std::max(total, offset + size);
    placed.insert(std::ranges::upper_bound(placed, offset, {}, &BufferLife::offset), &buffer);
  }
  return total;
}

} // namespace edgec
