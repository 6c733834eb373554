// Frequency tables of codes: how a file states them, in few bytes, and how they are made to fill 4096 slots.
#pragma once

#include <optional>

#include "codec/arithmetic.h"
#include "codec/density.h"

namespace edgec {

inline constexpr int frequency_bits = 12;
inline constexpr std::uint32_t slot_count = 1U << frequency_bits;

/// Shares of the 256 codes on a logarithmic scale: 0 absent, else a weight of 2^(index * step / 16). By code + 128.
struct LogTable {
  std::array<std::uint8_t, 256> index{};
  friend bool operator==(const LogTable &, const LogTable &) = default;
};
/// Sixteenths of an octave between two indices: 1, 2, 4 or 8; the largest index stands for 12 octaves.
constexpr int largest_index(int step) { return 12 * 16 / step; }

/// What LogTables are coded with, one after another.
struct TableModels {
  std::array<AdaptiveBit, 9> length;
  SignedModel zero, outward, first_outward, mirrored;
};

/// Codes a table: its largest magnitude, then indices by magnitude, each against the one before, negative codes
/// against positive ones. A decoder's table is filled in; false where it is none.
template <class Coder>
bool code_table(Coder &coder, TableModels &models, LogTable &table, int step) {
  int reach = 0; // the largest magnitude
  for (int magnitude = 128; magnitude > 0 && reach == 0; --magnitude)
    if (table.index[static_cast<std::size_t>(128 - magnitude)] != 0 ||
        (magnitude < 128 && table.index[static_cast<std::size_t>(128 + magnitude)] != 0))
      reach = magnitude;
  int length = 0; // of reach + 1 in bits, minus 1
  while (length < 8 && code_bit(coder, models.length[static_cast<std::size_t>(length)],
                                (reach + 1) >> (length + 1) != 0 ? 1 : 0) != 0)
    ++length;
  reach = (1 << length | static_cast<int>(code_raw(coder, length, static_cast<std::uint32_t>(reach + 1)))) - 1;
  if (reach > 128) return false;
  const int top = largest_index(step);
  bool sound = true;
  const auto code = [&](SignedModel &model, int symbol, int expected) {
    std::uint8_t &index = table.index[static_cast<std::size_t>(128 + symbol)];
    const int coded = expected + model.code(coder, index - expected);
    sound = sound && coded >= 0 && coded <= top;
    index = static_cast<std::uint8_t>(std::clamp(coded, 0, top));
    return int{index};
  };
  int expected = code(models.zero, 0, top);
  for (int magnitude = 1; magnitude <= reach; ++magnitude) {
    int up = expected;
    if (magnitude < 128) up = code(magnitude == 1 ? models.first_outward : models.outward, magnitude, expected);
    expected = (up + code(models.mirrored, -magnitude, up)) / 2;
  }
  return sound;
}

/// Slots of each code, 4096 in all; nothing where no code is present.
std::optional<std::array<std::uint16_t, 256>> frequencies(const LogTable &table, int step);

/// The table that codes `counts` in few bits, itself included: coded with `models` as they are.
LogTable choose_table(const Histogram &counts, int step, const TableModels &models);

/// Bits of codes counted so, by a table that has all of them.
double table_bits(const Histogram &counts, const std::array<std::uint16_t, 256> &frequencies);

} // namespace edgec
