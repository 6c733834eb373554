// Learns back what pruning, cutting channels or factors cost: `--tune BUDGET`. Weights, biases and normalizations'
// parameters are trained towards the original network's answers on the samples, without labels; weights that are zero
// stay zero.
#include "schemes/fitting/options.h"
#include "schemes/prune/options.h"
#include "schemes/rate/options.h"
#include "schemes/tune/options.h"
#include "schemes/tune/tuning.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "tune";

void declare(Options &options, Settings &settings) {
  auto &tune = settings.edit<TuneOptions>();
  options.group("Training");
  tune.declare_budget(
          options, "--tune",
          "train what is left, or codes and their scales, towards the answers of the original network on the "
          "samples, so many steps (600) or CPU seconds (60s); no labels are needed")
      .is_common()
      .needs("without what it learns back: --prune, --prune-channels, --low-rank, --share, --int8, --weights or "
             "--max-size",
             [&settings] {
               return tunes_floats(settings) || tunes_codes(settings) ||
                      settings.get<RateOptions>().max_size.has_value();
             });
  tune.declare(options, "tune-", "tune");
  options
      .add("--tune-labels", "SHARE", &tune.labels,
           "of the loss that counts the right answers, which --calib holds (y of an .npz, class folders), 0 to 1")
      .between(0, 1)
      .needs("tune")
      .records_changes();
}

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  SchemeOutcome outcome;
  const auto parameters = float_parameters(graph, job);
  if (parameters.empty()) return outcome;
  Graph tuned = graph;
  const auto &prune = job.options<PruneOptions>();
  const Tuning tuning{.share = tunes_codes(job.settings) ? 0.5 : 1,
                      .zeros = prune.gradual() && job.options<FitOptions>().second_order ? prune.ratio : 0};
  EDGEC_ASSIGN(const Trained trained, tune_parameters(tuned, parameters, job, name, tuning));
  outcome.changed = trained.improved();
  outcome.satisfied = !outcome.changed;
  outcome.interrupted = trained.interrupted;
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
                     .trains = true,
                     .declare = declare,
                     .wanted = tunes_floats,
                     .steps = steps,
                     .run = run};

} // namespace edgec::schemes
