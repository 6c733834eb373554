#include "codec/mixing.h"

namespace edgec {
namespace {

/// squash at d = -2560, -2496, ..., 0; FORMAT.md prints it.
constexpr std::array<std::uint32_t, 41> points{3,    4,     5,     6,     8,     10,    13,    17,   22,   28,   36,
                                               47,   60,    77,    98,    126,   162,   208,   267,  342,  439,  562,
                                               720,  922,   1179,  1506,  1921,  2446,  3108,  3938, 4971, 6249, 7812,
                                               9702, 11955, 14595, 17625, 21025, 24743, 28693, 32768};

constexpr std::uint32_t squash_negative(int d) { // -2560 <= d <= 0
  const auto at = static_cast<std::uint32_t>(d + 2560);
  const std::uint32_t low = points[at / 64];
  return at % 64 == 0 ? low : low + (points[at / 64 + 1] - low) * (at % 64) / 64;
}
constexpr std::uint32_t squash_any(int d) { return d <= 0 ? squash_negative(d) : 65536 - squash_negative(-d); }

constexpr std::array<std::int16_t, 4096> invert() {
  std::array<std::int16_t, 4096> table{};
  int d = -2560;
  for (std::uint32_t p = 0; p < 4096; ++p) {
    while (d < 2560 && squash_any(d) < 16 * p + 8) ++d;
    table[p] = static_cast<std::int16_t>(d);
  }
  return table;
}

constexpr auto squash_table = [] {
  std::array<std::uint16_t, 5121> table{};
  for (int d = -2560; d <= 2560; ++d)
    table[static_cast<std::size_t>(d + 2560)] = static_cast<std::uint16_t>(squash_any(d));
  return table;
}();

} // namespace

std::uint32_t squash(int d) { return squash_table[static_cast<std::size_t>(d + 2560)]; }

constinit const std::array<std::int16_t, 4096> stretch_table = invert();

} // namespace edgec
