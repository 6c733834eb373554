// Metrics that Fidelity tells, and what a budget of lost answers counts.
#pragma once

#include <optional>
#include <string_view>

#include "measure/fidelity.h"

namespace edgec {

/// top1, top5 (nothing without labels), agreement (nothing without classes) or sqnr (in dB) of what was measured.
std::optional<Score> score_of(const Fidelity &fidelity, std::string_view metric);

/// How much worse a network is than its reference.
struct Drop {
  double points = 0;           ///< hundredths of the metric; may be negative
  std::optional<double> bound; ///< with 95 % confidence no more points; nothing: not known
  std::size_t answers = 0;     ///< that this rests on
};

/// By the metric that was asked for, else by agreement. Nothing: neither could be told, or (sqnr) it counts no points.
std::optional<Drop> drop_of(const Fidelity &fidelity);

} // namespace edgec
