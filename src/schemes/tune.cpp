// Learns back what pruning, sharing of channels or factors cost: `--tune BUDGET`. Weights, biases and normalizations'
// parameters are trained towards the original network's answers on the samples, without labels; weights that are zero
// stay zero.
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "ir/node_view.h"
#include "schemes/fitting/options.h"
#include "schemes/fitting/weights.h"
#include "schemes/prune/options.h"
#include "schemes/scheme.h"
#include "support/number.h"
#include "train/trainer.h"

namespace edgec {

/// --tune and what goes with it.
struct TuneOptions {
  std::string budget; ///< as asked
  std::size_t steps = 0;
  double cpu_seconds = 0;
  double rate = 1e-3;
  std::string loss = "squared-error";
  std::string augment = "all";
};

namespace schemes {
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
           "train what is left towards the answers of the original network on the samples, so many steps (600) or CPU "
           "seconds (60s); no labels are needed")
      .needs("prune|prune-channels|low-rank")
      .records()
      .finally([&tune] { return parse(tune); });
  options.add("--tune-rate", "RATE", &tune.rate, "the largest learning rate: higher where much was lost")
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

bool is_parameter(const Graph &graph, ValueId id) {
  const Tensor *data = graph.constant(id);
  return data != nullptr && data->dtype == DType::float32 && !graph.value(id).type.quant && data->size() > 1;
}

/// Weights and biases of layers, numbers that are added to their results, and what normalizations scale by.
std::vector<Parameter> parameters_of(const Graph &graph, const Job &job) {
  std::vector<Parameter> found;
  std::set<ValueId> seen;
  const auto take = [&](ValueId id, bool keeps_zeros) {
    if (id.valid() && is_parameter(graph, id) && seen.insert(id).second) found.push_back({id, keeps_zeros});
  };
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!job.scope.allows(node)) continue;
    if (const auto info = weights_of(graph, node, job.ops)) {
      take(node.input(info->weight), true);
      if (info->bias) take(node.input(*info->bias), false);
    } else if (node.is("Add")) {
      for (const ValueId x : node.inputs) take(x, false);
    } else if (node.op.ends_with("Normalization") && node.domain.empty()) {
      take(node.input(1), false);
      take(node.input(2), false);
    }
  }
  return found;
}

TrainOptions train_options(const Job &job) {
  const auto &tune = job.options<TuneOptions>();
  const auto &prune = job.options<PruneOptions>();
  TrainOptions options{.steps = tune.steps,
                       .cpu_seconds = tune.cpu_seconds,
                       .rate = tune.rate,
                       .loss = tune.loss == "divergence" ? Loss::divergence
                               : tune.loss == "cosine"   ? Loss::cosine
                                                         : Loss::squared_error,
                       .zeros = prune.gradual() && job.options<FitOptions>().second_order ? prune.ratio : 0,
                       .augmentation = {.mixup = tune.augment != "none",
                                        .flips = tune.augment == "all",
                                        .shifts = tune.augment == "all"},
                       .seed = job.seed,
                       .threads = job.threads,
                       .isa = job.isa,
                       .memory = job.memory};
  if (job.progress)
    options.progress = [&job](std::size_t done, std::size_t all) { job.progress("training", done, all); };
  return options;
}

/// "600 steps on 160 samples; on 40 others 12.2 dB before, 14.1 dB after": no figures of made-up samples.
std::string text_of(const Trained &trained, const Job &job) {
  if (job.made_up) return fmt::format("{} steps on {} made-up samples", trained.steps, trained.samples);
  const auto db = [](double loss) { return -10 * std::log10(std::max(loss, 1e-30)); };
  const std::string figures =
      job.options<TuneOptions>().loss == "squared-error"
          ? fmt::format("{:.1f} dB before, {:.1f} dB after", db(trained.before), db(trained.after))
          : fmt::format("a loss of {:.4g} before, {:.4g} after", trained.before, trained.after);
  return fmt::format("{} steps on {} samples; on {} others {}", trained.steps, trained.samples, trained.held_out,
                     figures);
}

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  // The network that was read: cut channels are no part of job.original.
  const Graph &teacher = job.reference != nullptr ? *job.reference : job.original != nullptr ? *job.original : graph;
  const auto parameters = parameters_of(graph, job);
  SchemeOutcome outcome;
  if (parameters.empty()) return outcome;
  std::vector<std::size_t> samples = job.samples;
  samples.insert(samples.end(), job.more_samples.begin(), job.more_samples.end());
  Graph tuned = graph;
  EDGEC_ASSIGN(const Trained trained,
               train(tuned, parameters, teacher, job.ops, *job.calibration, samples, train_options(job)));
  const std::string text = text_of(trained, job);
  if (!trained.improved()) {
    job.skip(name, "", text + ": the network stays as it was");
    outcome.satisfied = true;
    return outcome;
  }
  job.say(name, "", text);
  graph = std::move(tuned);
  outcome.changed = true;
  return outcome;
}

bool wanted(const Settings &settings) { return !settings.get<TuneOptions>().budget.empty(); }

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
                     .wanted = wanted,
                     .steps = steps,
                     .run = run};

} // namespace schemes
} // namespace edgec
