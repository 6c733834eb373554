// How much work goes into fitting weights to samples: what all schemes that fit have in common.
#pragma once

#include <cstddef>
#include <string>

#include "support/option.h"
#include "support/settings.h"

namespace edgec {

/// Samples whose halves say enough: of more, the half that is not fitted to judges alone.
inline constexpr std::size_t enough_judging = 100;

struct FitOptions {
  std::string effort = "default";
  bool second_order = true;    ///< weights are fitted to the original's outputs; else rounded or cut as they are
  std::size_t positions = 128; ///< of each sample that second moments look at
  int rounding_sweeps = 4;     ///< of coordinate descent after GPTQ; -1: round to nearest

  /// "fast", "default" or "high".
  void set_effort(std::string level);
};

void declare_fit_options(Options &options, Settings &settings);

} // namespace edgec
