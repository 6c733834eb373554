// Names close to a mistyped one, for "did you mean".
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edgec {

/// Edits that turn `a` into `b`: insertions, deletions, replacements, swaps of neighbours (Damerau 1964, restricted).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// At most `limit` of `names`, closest first, ties in their order: those within a third of the word's length in edits
/// (two at least), or that contain it. Case does not count.
std::vector<std::string> nearest(std::string_view word, std::span<const std::string> names, std::size_t limit = 3);

/// "; did you mean 'conv1' or 'conv2'?", or nothing where no name is close.
std::string did_you_mean(std::string_view word, std::span<const std::string> names);

} // namespace edgec
