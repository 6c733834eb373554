#include "compress/magnitude.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <vector>

namespace edgec {
namespace {

/// Ascending with the magnitude: the bits of a float without its sign.
std::uint32_t magnitude(float number) { return std::bit_cast<std::uint32_t>(number) & 0x7fffffffU; }

} // namespace

std::size_t prune_magnitude(std::span<const std::span<float>> tensors, double ratio) {
  assert(ratio >= 0 && ratio <= 1);
  std::vector<std::uint32_t> all;
  for (const auto tensor : tensors) std::ranges::transform(tensor, std::back_inserter(all), magnitude);
  const auto zeros = static_cast<std::size_t>(std::ranges::count(all, 0U));
  const auto wanted = static_cast<std::size_t>(std::llround(ratio * static_cast<double>(all.size())));
  if (wanted <= zeros) return zeros;
  const auto last = all.begin() + static_cast<std::ptrdiff_t>(wanted - 1);
  std::ranges::nth_element(all, last);
  const std::uint32_t threshold = *last; // the wanted-th smallest: all below it go, and as many equal ones as are left
  auto equal = static_cast<std::size_t>(std::count(all.begin(), last + 1, threshold));
  for (const auto tensor : tensors)
    for (float &number : tensor) {
      const std::uint32_t size = magnitude(number);
      if (size > threshold || (size == threshold && equal == 0)) continue;
      if (size == threshold) --equal;
      number = 0;
    }
  return wanted;
}

} // namespace edgec
