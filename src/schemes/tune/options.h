// Options of training what a network lost back.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "support/settings.h"

namespace edgec {

struct TuneOptions {
  std::string budget; ///< as asked
  std::size_t steps = 0;
  double cpu_seconds = 0;
  std::optional<double> rate;
  std::string loss = "squared-error";
  std::string augment = "all";

  [[nodiscard]] bool wanted() const { return !budget.empty(); }
};

/// Whether what schemes left as floats is trained, and whether what they made codes of is: codes of fewer than 8 bits,
/// or all there is.
bool tunes_floats(const Settings &settings);
bool tunes_codes(const Settings &settings);

} // namespace edgec
