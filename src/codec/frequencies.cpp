#include "codec/frequencies.h"

#include <algorithm>
#include <cmath>

namespace edgec {
namespace {

/// 32768 * 2^(i / 16), rounded; FORMAT.md prints it.
constexpr std::array<std::uint32_t, 16> octave{32768, 34219, 35734, 37316, 38968, 40693, 42495, 44376,
                                               46341, 48393, 50535, 52773, 55109, 57549, 60097, 62757};

/// Counts averaged over neighbours, wider where they are rare: what is seen once or twice says little.
std::array<double, 256> smooth(const Histogram &counts, double enough) {
  std::array<double, 256> smoothed{};
  int low = 0, high = 255;
  while (low < 255 && counts[static_cast<std::size_t>(low)] == 0) ++low;
  while (high > 0 && counts[static_cast<std::size_t>(high)] == 0) --high;
  for (int i = low; i <= high; ++i) {
    double sum = counts[static_cast<std::size_t>(i)];
    int from = i, to = i;
    while (sum < enough && (from > low || to < high)) {
      // Never across zero, whose share is its own.
      if (i == 128 || (from == low && to == high)) break;
      const bool down = from > low && from - 1 != 128, up = to < high && to + 1 != 128;
      if (!down && !up) break;
      if (down) sum += counts[static_cast<std::size_t>(--from)];
      if (up) sum += counts[static_cast<std::size_t>(++to)];
    }
    smoothed[static_cast<std::size_t>(i)] = sum / (to - from + 1);
    if (smoothed[static_cast<std::size_t>(i)] == 0) smoothed[static_cast<std::size_t>(i)] = 0.25;
  }
  return smoothed;
}

LogTable log_table(const std::array<double, 256> &shares, int step) {
  const double most = *std::ranges::max_element(shares);
  LogTable table;
  for (std::size_t i = 0; i < 256; ++i) {
    if (shares[i] <= 0) continue;
    const long index = std::lround((std::log2(shares[i] / most) + 12) * 16 / step);
    table.index[i] = static_cast<std::uint8_t>(std::clamp<long>(index, 1, largest_index(step)));
  }
  return table;
}

} // namespace

std::optional<std::array<std::uint16_t, 256>> frequencies(const LogTable &table, int step) {
  std::array<std::uint64_t, 256> weights{};
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < 256; ++i) {
    const int sixteenths = table.index[i] * step;
    weights[i] =
        sixteenths == 0 ? 0 : std::uint64_t{octave[static_cast<std::size_t>(sixteenths % 16)]} << (sixteenths / 16);
    sum += weights[i];
  }
  if (sum == 0) return std::nullopt;
  std::array<std::uint16_t, 256> found{};
  int spare = slot_count;
  for (std::size_t i = 0; i < 256; ++i) {
    if (weights[i] == 0) continue;
    found[i] = static_cast<std::uint16_t>(std::max<std::uint64_t>(1, weights[i] * slot_count / sum));
    spare -= found[i];
  }
  if (spare > 0) *std::ranges::max_element(found) += static_cast<std::uint16_t>(spare);
  for (; spare < 0; ++spare) --*std::ranges::max_element(found);
  return found;
}

double table_bits(const Histogram &counts, const std::array<std::uint16_t, 256> &frequencies) {
  double bits = 0;
  for (std::size_t i = 0; i < 256; ++i)
    if (counts[i] > 0) bits += counts[i] * (frequency_bits - std::log2(static_cast<double>(frequencies[i])));
  return bits;
}

LogTable choose_table(const Histogram &counts, int step, const TableModels &models) {
  std::array<double, 256> exact{};
  std::ranges::copy(counts, exact.begin());
  LogTable best;
  double best_bits = 0;
  for (const double enough : {0.0, 4.0, 16.0, 64.0}) {
    LogTable table = log_table(enough == 0 ? exact : smooth(counts, enough), step);
    BitCounter coder;
    TableModels copy = models;
    code_table(coder, copy, table, step);
    const double bits = coder.bits() + table_bits(counts, *frequencies(table, step));
    if (enough > 0 && bits >= best_bits) continue;
    best = table;
    best_bits = bits;
  }
  return best;
}

} // namespace edgec
