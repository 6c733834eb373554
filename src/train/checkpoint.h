// The state of training as a file, so that what was interrupted goes on bit for bit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "support/result.h"

namespace edgec {

/// What the next step depends on, and what was best so far.
struct TrainingState {
  std::string fingerprint; ///< of what is trained and how: 64 hexadecimal digits
  std::uint64_t step = 0, steps = 0;
  std::uint64_t dealt = 0; ///< batches that were drawn
  double rate = 0, before = 0, after = 0;
  double mean_left = 1, square_left = 1; ///< GradientMoments
  bool pruned = false, judged_pruned = false;
  std::vector<float> values, best, mean, square;
  std::vector<float> squares; ///< of gradients, where weights go on the way
  std::vector<char> free;     ///< not held at 0
};

/// Errors: the file cannot be written.
Status write_checkpoint(const std::string &path, const TrainingState &state);

/// Nothing: there is no such file. Error (usage): it is not a state of `count` parameters, or of another training than
/// `fingerprint`.
Result<std::optional<TrainingState>> read_checkpoint(const std::string &path, const std::string &fingerprint,
                                                     std::size_t count);

} // namespace edgec
