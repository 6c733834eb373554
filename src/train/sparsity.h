// Which weights go while a network is trained.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace edgec {

/// A run of numbers that are pruned together with others: a weight.
struct Segment {
  std::size_t first = 0, count = 0;
};

/// From `start` zeros to `end` along a cubic curve (Zhu and Gupta 2018) while `step` goes from the 15th to the 55th
/// hundredth of the steps.
double scheduled_zeros(double start, double end, std::size_t step, std::size_t steps);

/// Clears the flags of the least worthy numbers of all segments until the share `zeros` of them is cleared; of each
/// segment a twentieth, and one number, keeps its flag. What is cleared stays so.
void clear_least(std::span<char> kept, std::span<const float> worth, std::span<const Segment> segments, double zeros);

} // namespace edgec
