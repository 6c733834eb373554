#include "job/judgement.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <limits>

#include "measure/score.h"

namespace edgec {
namespace {

constexpr double poor_agreement = 0.5, fair_agreement = 0.9;
constexpr double poor_sqnr_db = 10, fair_sqnr_db = 20; // of the output that suffered most
constexpr double rounding = 1e-9;                      // of a share or of points
constexpr double notable_drop = 2;                     // points of top-1

/// The figures that rest on most: labelled samples before calibration samples.
const Fidelity *best_fidelity(const Report &report) {
  if (report.verified && report.verified->fidelity.compared) return &report.verified->fidelity;
  if (report.evaluated && report.evaluated->fidelity.compared) return &report.evaluated->fidelity;
  return nullptr;
}

/// What is wrong; empty: nothing.
std::string poor_text(const Fidelity *fidelity, double agreement, double sqnr) {
  if (agreement < poor_agreement)
    return fmt::format("the answer stayed the same on {:.1f} % of the samples only", 100 * agreement);
  if (sqnr < poor_sqnr_db)
    return fmt::format(
        "the error of output {} is {:.1f} dB below its signal only (below {:g} dB is poor, agreement or not)",
        fidelity->logits.name, sqnr, poor_sqnr_db);
  return {};
}

std::optional<double> top1_drop(const Report &report) {
  if (!report.evaluated || !report.evaluated->fidelity.test_accuracy || !report.evaluated->fidelity.reference_accuracy)
    return std::nullopt;
  return 100 * (report.evaluated->fidelity.reference_accuracy->top1_share() -
                report.evaluated->fidelity.test_accuracy->top1_share());
}

} // namespace

bool judge_budgets(const RateOptions &flags, Report &report) {
  const Fidelity *fidelity = best_fidelity(report);
  if (flags.min_agreement) {
    const auto found = fidelity != nullptr ? fidelity->agreement() : std::nullopt;
    if (!found)
      report.warnings.push_back("--min-agreement: no output looks like scores of classes, so it could not be measured");
    report.budgets.push_back({"--min-agreement", *flags.min_agreement, found.value_or(0),
                              found && *found >= *flags.min_agreement - rounding});
  }
  if (flags.max_drop) {
    const bool scored = report.evaluated && report.evaluated->fidelity.score;
    const Fidelity *counted = scored ? &report.evaluated->fidelity : fidelity;
    const auto drop = counted != nullptr ? drop_of(*counted) : std::nullopt;
    if (!drop)
      report.warnings.push_back(
          "--max-drop: no output looks like scores of classes, so lost answers cannot be counted");
    BudgetFigures budget{"--max-drop", *flags.max_drop, drop ? drop->points : std::numeric_limits<double>::quiet_NaN(),
                         drop && drop->points <= *flags.max_drop + rounding};
    if (scored) budget.metric = counted->score->metric;
    if (drop) budget.bound = drop->bound, budget.answers = drop->answers;
    report.budgets.push_back(std::move(budget));
  }
  if (flags.max_size) {
    const auto found = static_cast<double>(report.after ? report.after->bytes : 0);
    const auto limit = static_cast<double>(*flags.max_size);
    report.budgets.push_back({"--max-size", limit, found, report.after && found <= limit});
  }
  if (flags.max_latency) {
    const double found =
        report.latency_after ? report.latency_after->median_ms : std::numeric_limits<double>::quiet_NaN();
    report.budgets.push_back({"--max-latency (ms)", *flags.max_latency, found, found <= *flags.max_latency});
  }
  return std::ranges::all_of(report.budgets, &BudgetFigures::met);
}

void judge_quality(bool int8, bool pruned, Report &report) {
  const Fidelity *fidelity = best_fidelity(report);
  const double agreement = fidelity != nullptr ? fidelity->agreement().value_or(1) : 1;
  const double sqnr = fidelity != nullptr && fidelity->logits.numbers && fidelity->logits.noise.signal > 0
                          ? fidelity->sqnr_db()
                          : std::numeric_limits<double>::infinity();
  const auto drop = top1_drop(report);
  if (const std::string poor = poor_text(fidelity, agreement, sqnr); !poor.empty())
    report.warnings.push_back(fmt::format("POOR RESULT: {}; do not use this file before finding out why", poor));
  if (drop && *drop > notable_drop) report.warnings.push_back(fmt::format("top-1 fell by {:.1f} points", *drop));
  const bool lossy = agreement < fair_agreement || sqnr < fair_sqnr_db || (drop && *drop > notable_drop);
  if (lossy && pruned) report.next.push_back("prune less (--prune), or leave sensitive layers out (--exclude)");
  if (lossy && int8)
    report.next.push_back("other activation ranges (--range mse), or leave sensitive layers float (--exclude)");
  if (!lossy && !pruned && int8) report.next.push_back("--prune 0.3 with -o OUT.edgec for a smaller file");
  if (!report.evaluated) report.next.push_back("--eval DATA --labels LABELS shows accuracy before and after");
}

} // namespace edgec
