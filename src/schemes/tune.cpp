// Learns back what pruning, cutting channels or factors cost: `--tune BUDGET`. Weights, biases and normalizations'
// parameters are trained towards the original network's answers on the samples, without labels; weights that are zero
// stay zero.
#include <cmath>

#include <fmt/format.h>

#include "schemes/fitting/options.h"
#include "schemes/prune/options.h"
#include "schemes/tune/options.h"
#include "schemes/tune/tuning.h"
#include "support/number.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "tune";

/// "600" steps, or "60s" of CPU time.
Status parse(TuneOptions &options) {
  std::string_view text = options.budget;
  const bool seconds = text.ends_with('s');
  if (seconds) text.remove_suffix(1);
  const auto number = parse_number<double>(text);
  if (!number || !(*number > 0 && *number < 1e9) || (!seconds && *number != std::floor(*number)))
    return usage_error(
        fmt::format("--tune: {} is not a number of steps, as 600, nor CPU seconds, as 60s", options.budget));
  options.steps = seconds ? 0 : static_cast<std::size_t>(*number);
  options.cpu_seconds = seconds ? *number : 0;
  return {};
}

void declare(Options &options, Settings &settings) {
  auto &tune = settings.edit<TuneOptions>();
  options.group("Training");
  options
      .add("--tune", "STEPS|SECONDS", &tune.budget,
           "train what is left, or codes and their scales, towards the answers of the original network on the samples, "
           "so many steps (600) or CPU seconds (60s); no labels are needed")
      .needs("lossy")
      .records()
      .finally([&tune] { return parse(tune); });
  options.add("--tune-rate", "RATE", &tune.rate, "the largest learning rate; 0.0003 to 0.002 by how much was lost unless given")
      .between(1e-7, 1)
      .needs("tune")
      .records();
  options
      .add("--tune-loss", "LOSS", &tune.loss,
           "how far answers are from the original's. squared-error: of the numbers; divergence: of the shares of "
           "classes; "
           "cosine: of directions")
      .one_of({"squared-error", "divergence", "cosine"})
      .needs("tune")
      .records();
  options
      .add("--tune-augment", "HOW", &tune.augment,
           "how samples are varied. all: mixed, shifted and, pictures, mirrored; mix: mixed only; none")
      .one_of({"all", "mix", "none"})
      .needs("tune")
      .records();
}

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  SchemeOutcome outcome;
  const auto parameters = float_parameters(graph, job);
  if (parameters.empty()) return outcome;
  Graph tuned = graph;
  const auto &prune = job.options<PruneOptions>();
  const Tuning tuning{.share = tunes_codes(job.settings) ? 0.5 : 1,
                      .zeros = prune.gradual() && job.options<FitOptions>().second_order ? prune.ratio : 0};
  EDGEC_ASSIGN(outcome.changed, tune_parameters(tuned, parameters, job, name, tuning));
  outcome.satisfied = !outcome.changed;
  if (outcome.changed) graph = std::move(tuned);
  return outcome;
}

std::vector<SchemeStep> steps(const Job &) { return {{"training", 20}}; }

} // namespace

extern const SchemeDef tune;
const SchemeDef tune{.name = name,
                     .flag = "--tune",
                     .summary = "what is left is trained towards the original's answers",
                     .place = 30,
                     .needs = Needs::samples,
                     .fits = true,
                     .declare = declare,
                     .wanted = tunes_floats,
                     .steps = steps,
                     .run = run};

} // namespace edgec::schemes
