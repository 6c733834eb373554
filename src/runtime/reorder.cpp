#include "runtime/reorder.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace edgec {
namespace {

std::int64_t product(std::span<const std::int64_t> dims) {
  return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies{});
}

/// [batch, rows, columns] to [batch, columns, rows], in tiles that stay in the first-level cache.
template <class T>
void transpose(const T *from, T *to, std::int64_t batch, std::int64_t rows, std::int64_t columns, int threads) {
  constexpr std::int64_t tile = 32;
  const std::int64_t tiles = (columns + tile - 1) / tile;
#pragma omp parallel for collapse(2) num_threads(threads) if (threads > 1)
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t t = 0; t < tiles; ++t) {
      const T *source = from + n * rows * columns;
      T *target = to + n * rows * columns;
      const std::int64_t end = std::min(columns, (t + 1) * tile);
      for (std::int64_t r0 = 0; r0 < rows; r0 += tile)
        for (std::int64_t c = t * tile; c < end; ++c)
          for (std::int64_t r = r0; r < std::min(rows, r0 + tile); ++r) target[c * rows + r] = source[r * columns + c];
    }
}

} // namespace

bool layouts_agree(std::span<const std::int64_t> dims) {
  return dims.size() < 3 || dims[1] == 1 || product(dims.subspan(2)) == 1;
}

void reorder(const std::byte *from, Layout from_layout, std::byte *to, Layout to_layout,
             std::span<const std::int64_t> dims, std::size_t element_bytes, int threads) {
  if (from_layout == to_layout || layouts_agree(dims)) {
    std::memcpy(to, from, static_cast<std::size_t>(product(dims)) * element_bytes);
    return;
  }
  const std::int64_t positions = product(dims.subspan(2));
  const bool to_last = to_layout == Layout::channels_last;
  const std::int64_t rows = to_last ? dims[1] : positions;
  const std::int64_t columns = to_last ? positions : dims[1];
  const auto run = [&]<class T>(T) {
    transpose(reinterpret_cast<const T *>(from), reinterpret_cast<T *>(to), dims[0], rows, columns, threads);
  };
  switch (element_bytes) {
  case 1: return run(std::uint8_t{});
  case 2: return run(std::uint16_t{});
  case 4: return run(std::uint32_t{});
  default: return run(std::uint64_t{});
  }
}

} // namespace edgec
