// Classes of weights: rows, columns and taps have a level each, the rounded logarithm of their mean magnitude, and a
// weight belongs to the class of the sum of its three levels. Zeros and sizes of weights cluster that way.
#pragma once

#include <array>
#include <vector>

#include "codec/code_shape.h"

namespace edgec {

inline constexpr int level_count = 16;                ///< levels are 0 .. 15
inline constexpr int sum_count = 3 * level_count - 2; ///< sums are 0 .. 45
inline constexpr int table_count = 16;                ///< at most that many classes

/// Which of its three axes tell a weight's class.
enum class ClassAxes : std::uint8_t { none = 0, rows = 1, columns = 2, both = 3, taps = 4, all = 7 };

struct Levels {
  std::vector<std::uint8_t> rows, columns, taps; ///< as long as the shape says; all 0 along an axis that tells nothing
};
/// Deterministic for one machine; a file states its levels.
Levels density_levels(std::span<const std::int8_t> codes, const CodeShape &shape, ClassAxes axes);

using Histogram = std::array<std::uint32_t, 256>; ///< by code + 128
/// A histogram for each sum of levels.
std::vector<Histogram> count_by_sum(std::span<const std::int8_t> codes, const CodeShape &shape, const Levels &levels);

/// Sums of levels from 0 to the largest.
std::size_t sums_of(const Levels &levels);

/// Sums of levels grouped into classes, each with a table of its own.
struct DensityClasses {
  Levels levels;
  std::vector<std::uint8_t> class_of_sum; ///< ascending, as many as there are sums
  std::vector<Histogram> counts;          ///< by class
  double bits = 0;                        ///< entropy and, roughly, what tables and levels cost
};
/// Neighbouring sums share a class as long as that saves bits, or classes are too many.
DensityClasses group_sums(std::span<const std::int8_t> codes, const CodeShape &shape, ClassAxes axes);
/// Of those along axes that the shape has, the cheapest. No size of shape may be 0.
std::vector<ClassAxes> possible_axes(const CodeShape &shape);
DensityClasses choose_classes(std::span<const std::int8_t> codes, const CodeShape &shape);

/// Where a weight's class is looked up: levels of its row, and of its place (column and tap) in the row.
std::vector<std::uint8_t> place_levels(const CodeShape &shape, const Levels &levels);

} // namespace edgec
