// The answers that a network gives otherwise than its reference: which class became which, and on what samples.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace edgec {

/// Classes are names where the labels have some, else numbers.
struct ClassPair {
  std::string before, after; ///< what the reference answers, and the test
  std::size_t count = 0;     ///< samples
};

struct ChangedSample {
  std::string name, before, after;
  std::string right;   ///< its label; empty: it has none
  double lead = 0;     ///< by which the reference's scores put `before` above `after`
  double lead_now = 0; ///< and the test's scores `after` above `before`
  std::string picture; ///< a small JPEG as base64; empty: it is no picture, or there was no room for more
};

struct AnswerChanges {
  std::size_t samples = 0, changed = 0;
  std::optional<std::size_t> lost, gained; ///< right answers, where there are labels: the reference's alone, the test's
  std::vector<ClassPair> pairs;            ///< most frequent first
  std::vector<ChangedSample> shown;        ///< those of which the reference was surest, a few
};

} // namespace edgec
