// What rules the size of a file, or its time: a rate, or a budget that one is searched for.
#pragma once

#include <cstdint>
#include <optional>

#include "support/settings.h"

namespace edgec {

struct RateOptions {
  std::optional<double> rate;           ///< squared error of the logits that a bit of the file may cost
  std::optional<double> max_drop;       ///< points
  std::optional<std::int64_t> max_size; ///< bytes
  std::optional<double> min_agreement;  ///< share of samples; judged only
  std::optional<double> max_latency;    ///< ms of one run on one thread; job/latency_search.h chooses what meets it

  [[nodiscard]] bool has_budget() const { return max_drop || max_size; }
};

/// Whether weights become codes of the least size at a rate: one is given, or a budget and no other scheme, or a size
/// that quantized or split layers are to meet.
bool rounds_weights(const Settings &settings);

} // namespace edgec
