// What a result is worth: budgets, warnings where it is poor, and what to try next.
#pragma once

#include <optional>

#include "measure/report.h"
#include "schemes/rate/options.h"

namespace edgec {

/// Fills in report.budgets; false where one was missed. --max-drop counts points of the metric of --eval, which
/// is top-1 where there are labels; else points of agreement. What could not be measured is missed.
bool judge_budgets(const RateOptions &flags, Report &report);

/// Adds warnings for what is poor, and advice.
void judge_quality(bool int8, bool pruned, Report &report);

} // namespace edgec
