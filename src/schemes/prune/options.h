// Options of pruning single weights.
#pragma once

#include <string>

namespace edgec {

struct PruneOptions {
  std::string asked;          ///< "0.5", "2:4"; empty: nothing
  double ratio = 0;           ///< 0 .. 1
  int n = 0, m = 0;           ///< m > 0: n of every m neighbours stay
  std::string scope = "auto"; ///< auto: by what layers mean to the answers; global: one magnitude; layer: shares
  std::string mask =
      "second-order"; ///< which weights of a layer go: those that others make up for; magnitude: the smallest
  int steps = 8;      ///< in which a mask by second order grows

  [[nodiscard]] bool wanted() const { return ratio > 0 || m > 0; }
};

} // namespace edgec
