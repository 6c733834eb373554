#include "passes/prune/_answers.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numeric>

#include "calibrate/sample_store.h"
#include "measure/logits.h"
#include "passes/held_out.h"
#include "support/random.h"

namespace edgec {
namespace {

constexpr double one_point = 0.01;
/// A network that keeps less of the answers, of the samples even that it was fitted to, has been hurt.
constexpr double good_agreement = 0.8;
constexpr int most_trials = 3;
/// Samples that a trial is fitted to: a few, since it is to be quick.
constexpr std::size_t most_fitted = 64;
/// The error of the logits grows about so with the ratio, before two trials tell better.
constexpr double first_power = 4;
constexpr double least_ratio = 0.01;

/// Mean over samples of the squared difference of centred logits.
double logit_error(const std::vector<Tensor> &reference, const std::vector<Tensor> &test) {
  double sum = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    std::vector<double> difference = kept_values(reference[i]);
    const std::vector<double> other = kept_values(test[i]);
    for (std::size_t k = 0; k < difference.size(); ++k) difference[k] -= other[k];
    const double mean = std::accumulate(difference.begin(), difference.end(), 0.0) / static_cast<double>(difference.size());
    for (const double d : difference) sum += (d - mean) * (d - mean);
  }
  return sum / static_cast<double>(std::max<std::size_t>(1, reference.size()));
}

/// The agreement that white noise of this squared error a sample leaves.
double agreement_under_noise(const std::vector<Tensor> &reference, double squared_error) {
  constexpr std::uint64_t draws = 4;
  std::size_t same = 0;
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    Random random(draw); // the same noise for each strength: the curve is smooth
    for (const Tensor &tensor : reference) {
      std::vector<double> logits = kept_values(tensor);
      const auto before = std::ranges::max_element(logits) - logits.begin();
      const double sigma = std::sqrt(squared_error / static_cast<double>(logits.size()));
      for (double &x : logits) x += sigma * random.normal();
      same += std::ranges::max_element(logits) - logits.begin() == before ? 1 : 0;
    }
  }
  return static_cast<double>(same) / static_cast<double>(std::max<std::size_t>(1, draws * reference.size()));
}

/// The squared error a sample that noise may have to keep all but a point of the answers.
double bearable_error(const std::vector<Tensor> &reference, double high) {
  double low = high * 1e-8;
  constexpr int halvings = 16;
  for (int i = 0; i < halvings; ++i) {
    const double middle = std::sqrt(low * high);
    (agreement_under_noise(reference, middle) >= 1 - one_point ? low : high) = middle;
  }
  return low;
}

/// One row of at least two numbers each.
bool are_answers(std::span<const Tensor> logits) {
  return std::ranges::all_of(logits, [](const Tensor &tensor) {
    return tensor.size() > 1 && std::ranges::find(tensor.dims, tensor.size()) != tensor.dims.end();
  });
}

/// A ratio, the share of held-out answers that stay, and the squared error of the logits.
struct Trial {
  double ratio = 0, agreement = 0, error = 0;
};

/// In the order tried; the first is the ratio asked for.
Result<std::vector<Trial>> try_ratios(const PrunedAt &pruned_at, const AskedRatio &asked, const Graph &original,
                                      const PassContext &context) {
  std::vector<std::size_t> fitted = half_of(context.samples, 0);
  fitted.resize(std::min(fitted.size(), most_fitted));
  PassContext unseen = context;
  unseen.samples = half_of(context.samples, 1);
  EDGEC_ASSIGN(const auto reference, logits_of(original, find_logits, unseen));
  std::vector<Trial> tried;
  std::optional<double> bearable;
  double power = first_power, good = 0, bad = asked.ratio, next = asked.ratio;
  for (int trial = 0; trial < (asked.has_less ? most_trials : 1); ++trial) {
    EDGEC_ASSIGN(const Graph pruned, pruned_at(next, fitted));
    EDGEC_ASSIGN(const auto logits, logits_of(pruned, find_logits, unseen));
    const double error = std::max(logit_error(reference, logits), 1e-300);
    if (!tried.empty() && next != tried.back().ratio)
      power = std::clamp(std::log(error / tried.back().error) / std::log(next / tried.back().ratio), 1.0, 16.0);
    tried.push_back({next, agreement(reference, logits), error});
    (tried.back().agreement >= 1 - one_point ? good : bad) = next;
    if (good == asked.ratio) break;
    if (!bearable) bearable = bearable_error(reference, error);
    next = std::floor(100 * next * std::pow(*bearable / error, 1 / power)) / 100;
    if (next <= good || next >= bad) next = std::floor(50 * (good + bad)) / 100; // noise is only a guide
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
  std::string text = fmt::format("{} changes {:.1f} % of the answers on held-out samples", asked, 100 * (1 - tried.front().agreement));
  if (tried.size() == 1) return text;
  if (best != nullptr) return text + fmt::format("; {:g} is the largest ratio tried that keeps one point", best->ratio);
  return text + fmt::format("; even {:g} changes {:.1f} %", least->ratio, 100 * (1 - least->agreement));
}

} // namespace

Status judge_pruning(const Graph &original, const Graph &pruned, const PrunedAt &pruned_at, const AskedRatio &asked,
                     const PassContext &context) {
  if (context.samples.size() < 2) return {};
  PassContext few = context;
  few.samples = half_of(context.samples, 0);
  EDGEC_ASSIGN(const auto reference, logits_of(original, find_logits, few));
  if (!are_answers(reference)) return {};
  EDGEC_ASSIGN(const auto logits, logits_of(pruned, find_logits, few));
  if (agreement(reference, logits) >= good_agreement) return {};
  EDGEC_ASSIGN(const auto tried, try_ratios(pruned_at, asked, original, context));
  if (tried.front().agreement < 1 - one_point) context.say(asked.pass, "", text_of(tried, asked.text));
  return {};
}

} // namespace edgec
