#include "schemes/prune/ratio_check.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "schemes/fitting/held_out.h"

namespace edgec {
namespace {

constexpr double one_point = 0.01;
/// A network that keeps less of the answers, of the samples even that it was fitted to, has been hurt.
constexpr double good_agreement = 0.8;
constexpr int most_trials = 3;
/// Samples that a trial is fitted to: a few, since it is to be quick.
constexpr std::size_t most_fitted = 64;
/// The share of answers that change grows about so with the ratio, before two trials tell better.
constexpr double first_power = 2;
constexpr double least_ratio = 0.01;

/// A ratio, and the share of held-out answers that stay.
struct Trial {
  double ratio = 0, agreement = 0;
};

/// In the order tried; the first is the ratio asked for.
Result<std::vector<Trial>> try_ratios(const PrunedAt &pruned_at, const AskedRatio &asked, const Graph &original,
                                      const Job &job) {
  std::vector<std::size_t> fitted = half_of(job.samples, 0);
  fitted.resize(std::min(fitted.size(), most_fitted));
  Job unseen = job;
  unseen.samples = half_of(job.samples, 1);
  std::vector<Trial> tried;
  double power = first_power, good = 0, bad = asked.ratio, next = asked.ratio;
  for (int trial = 0; trial < (asked.has_less ? most_trials : 1); ++trial) {
    EDGEC_ASSIGN(const Graph pruned, pruned_at(next, fitted));
    EDGEC_ASSIGN(const Fidelity fidelity, judge(original, pruned, unseen));
    const double lost = std::max(1 - fidelity.agreement().value_or(1), one_point / 4);
    if (!tried.empty() && next != tried.back().ratio)
      power = std::clamp(std::log(lost / std::max(1 - tried.back().agreement, one_point / 4)) /
                             std::log(next / tried.back().ratio),
                         0.5, 8.0);
    tried.push_back({next, 1 - lost});
    (lost <= one_point ? good : bad) = next;
    if (good == asked.ratio) break;
    next = std::floor(100 * next * std::pow(one_point / lost, 1 / power)) / 100;
    if (next <= good || next >= bad) next = std::floor(50 * (good + bad)) / 100; // the power is only a guide
    if (next <= good || next >= bad || next < least_ratio) break;
  }
  return tried;
}

std::string text_of(std::span<const Trial> tried, std::string_view asked) {
  const Trial *best = nullptr, *least = &tried.front();
  for (const Trial &each : tried) {
    if (each.agreement >= 1 - one_point && (best == nullptr || each.ratio > best->ratio)) best = &each;
    if (each.ratio < least->ratio) least = &each;
  }
  std::string text =
      fmt::format("{} changes {:.1f} % of the answers on held-out samples", asked, 100 * (1 - tried.front().agreement));
  if (tried.size() == 1) return text;
  if (best != nullptr) return text + fmt::format("; {:g} is the largest ratio tried that keeps one point", best->ratio);
  return text + fmt::format("; even {:g} changes {:.1f} %", least->ratio, 100 * (1 - least->agreement));
}

} // namespace

Status judge_pruning(const Graph &original, const Graph &pruned, const PrunedAt &pruned_at, const AskedRatio &asked,
                     const Job &job) {
  if (job.samples.size() < 2) return {};
  Job few = job;
  few.samples = half_of(job.samples, 0);
  EDGEC_ASSIGN(const Fidelity fidelity, judge(original, pruned, few));
  if (fidelity.agreement().value_or(1) >= good_agreement) return {};
  EDGEC_ASSIGN(const auto tried, try_ratios(pruned_at, asked, original, job));
  if (tried.front().agreement < 1 - one_point) job.say(asked.pass, "", text_of(tried, asked.text));
  return {};
}

} // namespace edgec
