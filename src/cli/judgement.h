// What a result is worth: budgets, warnings where it is poor, and what to try next.
#pragma once

#include <optional>

#include "cli/options.h"
#include "measure/report.h"

namespace edgec {

struct BudgetFlags {
  std::optional<double> min_agreement, max_drop;
  std::optional<std::int64_t> max_size;

  void declare(Options &options);
};

/// Fills in report.budgets; false where one was missed. --max-drop counts points of top-1 where the report has labels,
/// else points of agreement. What could not be measured is missed.
bool judge_budgets(const BudgetFlags &flags, Report &report);

/// Adds warnings for what is poor, and advice.
void judge_quality(bool int8, bool pruned, Report &report);

} // namespace edgec
