// Few values for many: the codebook that stands for a tensor's numbers with the least squared error.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace edgec {

struct Codebook {
  std::vector<float> values;       ///< ascending, all different, at most 2^bits
  std::vector<std::uint8_t> codes; ///< for each number the index of the nearest value, ties to the lower one
  double squared_error = 0;        ///< sum over all numbers
};

/// One-dimensional k-means (Lloyd 1982) with 2^bits centres that start between the smallest and the largest number (a
/// start that reaches the ends gives large weights centres of their own: Han, Mao, Dally 2016, "linear") and move until
/// no number changes its centre; a centre that no number chose splits the worst cluster. Where a number is exactly
/// zero, the centre nearest to zero is zero and stays there, so that pruned weights stay pruned. Numbers of at most
/// 2^bits different values come back exactly. Deterministic. The numbers are finite; 1 <= bits <= 8.
Codebook kmeans_codebook(std::span<const float> numbers, int bits);

} // namespace edgec
