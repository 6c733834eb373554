// What counts on a sample say of all.
#pragma once

#include <cstddef>

namespace edgec {

/// The largest share of all answers that differ with which so few (`differing` of `count` > 0) would have been seen at
/// least once in twenty times: Clopper and Pearson's one-sided bound at 95 %. 1 where all differ.
double upper_share(std::size_t differing, std::size_t count);

} // namespace edgec
