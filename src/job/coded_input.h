// A network that is codes already: what of it compressing keeps.
#pragma once

#include <optional>

#include "ir/graph.h"
#include "support/settings.h"

namespace edgec {

struct CodedInput {
  bool uncodes = false; ///< schemes start from the reals of its codes (schemes/int8/uncoded.h)
  bool keeps = false;   ///< its values get the codes back that they had
  bool frees = false;   ///< they get new ranges, which may reach farther (Saturation::freed)
};

/// A size that a file is to have which stores codes whole, not by their entropy.
struct WholeCodes {
  std::size_t bytes;    ///< of the file that was read
  std::size_t max_size; ///< of the one to be written
};

/// Completes what was asked for where the network has codes: what they stand for is compressed, and becomes codes of
/// the same kind again. Error (usage): what was asked for is not done to codes, and what is.
Result<CodedInput> take_codes(const Graph &graph, Settings &settings, const std::optional<WholeCodes> &whole = {});

} // namespace edgec
