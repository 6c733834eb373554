// What counts on a sample say of all.
#pragma once

#include <cstddef>

namespace edgec {

/// The largest share of all answers that differ with which so few (`differing` of `count` > 0) would have been seen at
/// least once in twenty times: Clopper and Pearson's one-sided bound at 95 %. 1 where all differ.
double upper_share(std::size_t differing, std::size_t count);

/// The largest share of all answers that may be lost, less those gained, where `lost` and `gained` of `count` were
/// seen: the one-sided bound at 95 % of Agresti and Min (2005), Wald's for matched pairs with half an answer more of
/// each kind. 1 where there are no answers.
double upper_loss(std::size_t lost, std::size_t gained, std::size_t count);

} // namespace edgec
