#include "cli/judgement.h"

#include <algorithm>
#include <fmt/format.h>

namespace edgec {
namespace {

constexpr double poor_agreement = 0.5, fair_agreement = 0.9;
constexpr double notable_drop = 2; // points of top-1

/// The figures that rest on most: labelled samples before calibration samples.
const Fidelity *best_fidelity(const Report &report) {
  if (report.verified && report.verified->fidelity.compared) return &report.verified->fidelity;
  if (report.evaluated && report.evaluated->fidelity.compared) return &report.evaluated->fidelity;
  return nullptr;
}

std::optional<double> top1_drop(const Report &report) {
  if (!report.evaluated || !report.evaluated->fidelity.test_accuracy || !report.evaluated->fidelity.reference_accuracy)
    return std::nullopt;
  return 100 * (report.evaluated->fidelity.reference_accuracy->top1_share() -
                report.evaluated->fidelity.test_accuracy->top1_share());
}

} // namespace

void BudgetFlags::declare(Options &options) {
  options.group("Budgets (missed: the file is written all the same, status 1)");
  options.add("--min-agreement", "X", &min_agreement, "share of samples on which the answer must stay the same")
      .between(0, 1);
  options.add("--max-drop", "P", &max_drop, "points of top-1 that may be lost; without labels, of agreement")
      .between(0, 100);
  options.add("--max-size", "BYTES", &max_size, "bytes of the file").between(1, 1e15);
}

bool judge_budgets(const BudgetFlags &flags, Report &report) {
  const Fidelity *fidelity = best_fidelity(report);
  if (flags.min_agreement) {
    const double found = fidelity != nullptr ? fidelity->agreement() : 0;
    report.budgets.push_back(
        {"--min-agreement", *flags.min_agreement, found, fidelity != nullptr && found >= *flags.min_agreement});
  }
  if (flags.max_drop) {
    const auto top1 = top1_drop(report);
    const double found = top1 ? *top1 : fidelity != nullptr ? 100 * (1 - fidelity->agreement()) : 100;
    report.budgets.push_back(
        {"--max-drop", *flags.max_drop, found, (top1 || fidelity != nullptr) && found <= *flags.max_drop});
  }
  if (flags.max_size) {
    const auto found = static_cast<double>(report.after ? report.after->bytes : 0);
    const auto limit = static_cast<double>(*flags.max_size);
    report.budgets.push_back({"--max-size", limit, found, report.after && found <= limit});
  }
  return std::ranges::all_of(report.budgets, &BudgetFigures::met);
}

void judge_quality(bool int8, bool pruned, Report &report) {
  const Fidelity *fidelity = best_fidelity(report);
  const double agreement = fidelity != nullptr ? fidelity->agreement() : 1;
  const auto drop = top1_drop(report);
  const bool poor = agreement < poor_agreement;
  if (poor)
    report.warnings.push_back(
        fmt::format("POOR RESULT: the answer stayed the same on {:.1f} % of the samples only; do not use this "
                    "file before finding out why",
                    100 * agreement));
  if (drop && *drop > notable_drop) report.warnings.push_back(fmt::format("top-1 fell by {:.1f} points", *drop));
  const bool lossy = agreement < fair_agreement || (drop && *drop > notable_drop);
  if (lossy && pruned) report.next.push_back("prune less (--prune), or leave sensitive layers out (--exclude)");
  if (lossy && int8)
    report.next.push_back("other activation ranges (--range mse), or leave sensitive layers float (--exclude)");
  if (!lossy && !pruned && int8) report.next.push_back("--prune 0.3 with -o OUT.edgec for a smaller file");
  if (!report.evaluated) report.next.push_back("--eval DATA --labels LABELS shows accuracy before and after");
}

} // namespace edgec
