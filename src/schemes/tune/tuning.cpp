#include "schemes/tune/tuning.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>

#include <fmt/format.h>

#include "ir/node_view.h"
#include "kernels/isa.h"
#include "schemes/fitting/weights.h"
#include "schemes/int8/options.h"
#include "schemes/rate/options.h"
#include "schemes/share/options.h"
#include "schemes/stored/options.h"
#include "schemes/tune/options.h"
#include "support/number.h"
#include "train/distilled_samples.h"

namespace edgec {
namespace {

bool is_parameter(const Graph &graph, ValueId id) {
  const Tensor *data = graph.constant(id);
  return data != nullptr && data->dtype == DType::float32 && !graph.value(id).type.quant && data->size() > 1;
}

/// Values of which a constant's indices choose: shared weights.
bool is_codebook(const Graph &graph, const Node &gather) {
  const Node *indices = graph.producer(gather.input(1));
  return graph.value(gather.input(0)).type.rank() == 1 && indices != nullptr && indices->is("Cast") &&
         graph.constant(indices->input(0)) != nullptr;
}

bool wants(const Settings &settings, Learns what) {
  return std::ranges::any_of(all_schemes(), [&](const SchemeDef *scheme) {
    return scheme->learns == what && scheme->wanted != nullptr && scheme->wanted(settings);
  });
}

/// Codes that lose more than rounding well can make up for.
bool has_few_bits(const Settings &settings) {
  const auto &int8 = settings.get<Int8Options>();
  const auto &stored = settings.get<StoredOptions>();
  return (int8.is_static() && std::min(int8.weight_bits, int8.activation_bits) < 8) ||
         (stored.wanted() && stored.spec().bits < 8) || settings.get<ShareOptions>().bits > 0;
}

TrainOptions train_options(const Job &job, Tuning tuning) {
  const auto &tune = job.options<TuneOptions>();
  TrainOptions options{.steps = static_cast<std::size_t>(std::ceil(tuning.share * static_cast<double>(tune.steps))),
                       .cpu_seconds = tuning.share * tune.cpu_seconds,
                       .rate = tune.rate.value_or(0),
                       .descent = tune.optimizer == "sgd" ? Descent::sgd : Descent::adam,
                       .loss = tune.loss == "divergence" ? Loss::divergence
                               : tune.loss == "cosine"   ? Loss::cosine
                                                         : Loss::squared_error,
                       .temperature = tune.temperature,
                       .hard = tune.labels,
                       .labels = job.labels != nullptr ? std::span(*job.labels) : std::span<const std::int64_t>(),
                       .zeros = tuning.zeros,
                       .augmentation = {.mixup = tune.augment == "all" || tune.augment == "mix",
                                        .flips = tune.augment == "all" || tune.augment == "move",
                                        .shifts = tune.augment == "all" || tune.augment == "move"},
                       .bfloat16 = tune.bfloat16(),
                       .seed = job.seed,
                       .threads = job.threads,
                       .isa = job.isa,
                       .memory = job.memory};
  if (job.progress)
    options.progress = [&job](std::size_t done, std::size_t all) { job.progress("training", done, all); };
  return options;
}

/// Numbers of the outputs named.
Result<std::vector<std::size_t>> outputs_of(std::span<const std::string> asked, const Graph &graph) {
  std::vector<std::string> names;
  for (const GraphOutput &output : graph.outputs()) names.push_back(output.name);
  std::vector<std::size_t> found;
  for (const std::string &name : asked) {
    const auto at = std::ranges::find(names, name);
    if (at == names.end())
      return usage_error(
          fmt::format("training: there is no output {}; the network's are {}", name, fmt::join(names, ", ")));
    found.push_back(static_cast<std::size_t>(at - names.begin()));
  }
  return found;
}

Result<std::vector<FeaturePair>> features_of(const std::string &asked, const Graph &student, const Graph &teacher,
                                             const OpRegistry &ops) {
  if (asked == "none") return std::vector<FeaturePair>();
  if (asked == "auto") return features_of_one_name(student, teacher, ops);
  return named_features(asked, student, teacher);
}

/// "600 steps at a rate of 0.001 on 160 samples; on 40 others 12.2 dB before, 14.1 dB after": no figures of made-up
/// samples.
std::string text_of(const Trained &trained, const Job &job) {
  if (job.made_up) return fmt::format("{} steps on {} made-up samples", trained.steps, trained.samples);
  const auto db = [](double loss) { return -10 * std::log10(std::max(loss, 1e-30)); };
  const std::string figures =
      job.options<TuneOptions>().loss == "squared-error" && job.options<TuneOptions>().labels == 0
          ? fmt::format("{:.1f} dB before, {:.1f} dB after", db(trained.before), db(trained.after))
          : fmt::format("a loss of {:.4g} before, {:.4g} after", trained.before, trained.after);
  const std::string features =
      job.options<TuneOptions>().features == "none" ? "" : fmt::format(" with {} features", trained.features);
  return fmt::format("{} steps at a rate of {:.2g} on {} samples{}; on {} others {}", trained.steps, trained.rate,
                     trained.samples, features, trained.held_out, figures);
}

/// Samples of one set, then those of another.
class Both : public SampleSet {
public:
  Both(const SampleSet &first, const SampleSet &second) : first_(first), second_(second) {}
  [[nodiscard]] std::size_t size() const override { return first_.size() + second_.size(); }
  [[nodiscard]] std::size_t batch() const override { return first_.batch(); }
  [[nodiscard]] std::string description() const override { return first_.description(); }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override {
    return index < first_.size() ? first_.load(index) : second_.load(index - first_.size());
  }
  [[nodiscard]] std::string label(std::size_t index) const override {
    return index < first_.size() ? first_.label(index) : second_.label(index - first_.size());
  }

private:
  const SampleSet &first_, &second_;
};

/// Training on made-up samples: those that are learned from are joined by themselves, distilled to the moments of the
/// network's normalizations, where a tenth of the steps with them brings more on the held-out ones, which are not, than
/// a tenth without.
class MadeUpTraining {
public:
  MadeUpTraining(std::span<const Parameter> parameters, const Graph &teacher, const Job &job,
                 std::span<const std::size_t> samples, const TrainOptions &options)
      : parameters_(parameters), teacher_(teacher), job_(job), samples_(samples), options_(options) {}

  Result<Trained> run(Graph &graph, std::string_view scheme) {
    EDGEC_ASSIGN(const bool helps, distilled_help(graph));
    constexpr std::string_view what = "samples distilled to the moments of BatchNormalization";
    if (distilled_ != nullptr)
      job_.say(scheme, "",
               helps ? fmt::format("{} {} join the others", distilled_->size(), what)
                     : fmt::format("{} do not help", what));
    return train_on(graph, helps, options_);
  }

private:
  std::span<const Parameter> parameters_;
  const Graph &teacher_;
  const Job &job_;
  std::span<const std::size_t> samples_;
  const TrainOptions &options_;
  std::unique_ptr<SampleSet> distilled_;

  Result<bool> distilled_help(const Graph &graph) {
    if (job_.reference == nullptr) return false;
    const Split split = split_samples(samples_, options_.seed);
    auto made = distilled_samples(*job_.reference, job_.ops, *job_.calibration, split.learnt,
                                  {.threads = job_.threads, .isa = job_.isa});
    if (!made && made.error().code == Code::unsupported) return false;
    if (!made) return std::move(made).error();
    distilled_ = std::move(made->samples);
    TrainOptions trial = options_;
    trial.steps = (options_.steps + 9) / 10;
    trial.cpu_seconds = options_.cpu_seconds / 10;
    trial.checkpoint.clear();
    double after[2] = {};
    for (const bool with : {false, true}) {
      Graph copy = graph;
      EDGEC_ASSIGN(const Trained trained, train_on(copy, with, trial));
      after[with ? 1 : 0] = trained.after;
    }
    return after[1] < after[0];
  }

  Result<Trained> train_on(Graph &graph, bool with_distilled, TrainOptions options) const {
    if (!with_distilled) return train(graph, parameters_, teacher_, job_.ops, *job_.calibration, samples_, options);
    const Both both(*job_.calibration, *distilled_);
    std::vector<std::size_t> more(distilled_->size());
    std::iota(more.begin(), more.end(), job_.calibration->size());
    options.more = more;
    return train(graph, parameters_, teacher_, job_.ops, both, samples_, options);
  }
};

/// "600" steps, or "60s" of CPU time.
Status parse_budget(TuneOptions &options, const std::string &flag) {
  std::string_view text = options.budget;
  const bool seconds = text.ends_with('s');
  if (seconds) text.remove_suffix(1);
  const auto number = parse_number<double>(text);
  if (!number || !(*number > 0 && *number < 1e9) || (!seconds && *number != std::floor(*number)))
    return usage_error(
        fmt::format("{}: {} is not a number of steps, as 600, nor CPU seconds, as 60s", flag, options.budget));
  options.steps = seconds ? 0 : static_cast<std::size_t>(*number);
  options.cpu_seconds = seconds ? *number : 0;
  return {};
}

} // namespace

void TuneOptions::declare(Options &options, const std::string &prefix, std::string_view condition) {
  const auto row = [&](const char *name, const char *text, OptionTarget target, const char *help) -> Option & {
    Option &option = options.add("--" + prefix + name, text, target, help);
    return condition.empty() ? option.records() : option.needs(condition).records();
  };
  row("rate", "RATE", &rate,
      "the largest learning rate; unless given 0.0003 to 0.002 by how much was lost, half of that for more than 50 "
      "layers, ten times for sgd")
      .between(1e-7, 1);
  row("loss", "LOSS", &loss,
      "how far answers are from the original's. squared-error: of the numbers; divergence: of the shares of classes; "
      "cosine: of directions")
      .one_of({"squared-error", "divergence", "cosine"});
  row("temperature", "T", &temperature,
      "what scores are divided by before divergence makes shares of them: 1 for the next token of a text")
      .between(0.1, 100);
  row("outputs", "NAME,...", &outputs,
      "outputs whose answers count (default all): the scores of a network that gives out its caches, too")
      .split(',');
  row("optimizer", "HOW", &optimizer, "how gradients become steps. adam, or sgd with a momentum of 0.9")
      .one_of({"adam", "sgd"});
  row("features", "auto|none|A=B,...", &features,
      "values inside that are to become like the teacher's, too: A of the network that is trained, B of its teacher; "
      "auto: those at the ends of blocks that have one name and shape");
  Option &kept =
      options.add("--" + prefix + "checkpoint", "DIR", &checkpoint,
                  "keep the state of training in this folder, and go on from it where the same training was stopped");
  if (!condition.empty()) kept.needs(condition);
  row("precision", "TYPE", &precision,
      "what products are made of while gradients are computed. bfloat16 takes about two thirds of the time where the "
      "processor has it, and gives other numbers; weights, sums and what judges are float32")
      .one_of({"float32", "bfloat16"});
  row("augment", "HOW", &augment,
      "how samples are varied. move: shifted and, pictures, mirrored; mix: two become one; all: both; none")
      .one_of({"all", "move", "mix", "none"});
}

Status TuneOptions::check(Isa isa) const {
  if (!bfloat16() || has_bfloat16(isa)) return {};
  return unsupported(
      fmt::format("training on bfloat16: {}, as far as the processor and --isa allow it, has no products "
                  "of bfloat16; these are part of AVX512-BF16 and AMX",
                  name(isa)));
}

Option &TuneOptions::declare_budget(Options &options, const std::string &name, const char *help) {
  return options.add(name, "STEPS|SECONDS", &budget, help).records().finally([this, name] {
    return parse_budget(*this, name);
  });
}

bool tunes_floats(const Settings &settings) {
  const auto &tune = settings.get<TuneOptions>();
  return tune.wanted() && !tune.alone && wants(settings, Learns::floats);
}

bool tunes_codes(const Settings &settings) {
  if (settings.get<TuneOptions>().alone) return true;
  return settings.get<TuneOptions>().wanted() && wants(settings, Learns::codes) && !rounds_weights(settings) &&
         (has_few_bits(settings) || !tunes_floats(settings));
}

double zeros_before_training(const Graph &graph, const OpRegistry &ops, const Settings &settings) {
  constexpr double bits_per_weight = 5.5, least = 0.7, most = 0.95;
  const auto &size = settings.get<RateOptions>().max_size;
  if (!size) return 0;
  double weights = 0;
  for (const WeightTensor &weight : float_weights(graph, Job{{.ops = ops}}, {}))
    weights += static_cast<double>(graph.constant(weight.value)->size());
  const double ratio = 1 - static_cast<double>(*size) * 8 / bits_per_weight / std::max(weights, 1.0);
  return ratio < least ? 0 : std::min(std::floor(ratio * 100) / 100, most);
}

std::vector<Parameter> float_parameters(const Graph &graph, const Job &job, std::span<const Parameter> known) {
  std::vector<Parameter> found;
  std::set<ValueId> seen;
  for (const Parameter &parameter : known) seen.insert(parameter.value);
  const auto take = [&](ValueId id, bool keeps_zeros) {
    if (id.valid() && is_parameter(graph, id) && seen.insert(id).second) found.push_back({id, keeps_zeros});
  };
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!job.scope.allows(node)) continue;
    if (const auto info = weights_of(graph, node, job.ops)) {
      take(node.input(info->weight), true);
      if (info->bias) take(node.input(*info->bias), false);
    } else if (node.is("LSTM") || node.is("GRU") || node.is("RNN")) {
      for (const std::size_t i : {1U, 2U, 3U}) take(node.input(i), i < 3);
    } else if (node.is("Add")) {
      for (const ValueId x : node.inputs) take(x, false);
    } else if (node.op.ends_with("Normalization") && node.domain.empty()) {
      take(node.input(1), false);
      take(node.input(2), false);
    } else if (node.is("Gather") && is_codebook(graph, node)) {
      take(node.input(0), true);
    }
  }
  return found;
}

Result<Trained> tune_parameters(Graph &graph, std::span<const Parameter> parameters, const Job &job,
                                std::string_view scheme, Tuning tuning) {
  // The network that was read: cut channels are not part of job.original.
  const Graph &teacher = job.reference != nullptr ? *job.reference : job.original != nullptr ? *job.original : graph;
  std::vector<std::size_t> samples = job.samples;
  samples.insert(samples.end(), job.more_samples.begin(), job.more_samples.end());
  TrainOptions options = train_options(job, tuning);
  EDGEC_ASSIGN(options.outputs, outputs_of(job.options<TuneOptions>().outputs, graph));
  EDGEC_ASSIGN(options.features, features_of(job.options<TuneOptions>().features, graph, teacher, job.ops));
  if (const std::string &folder = job.options<TuneOptions>().checkpoint; !folder.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed) return usage_error(fmt::format("{}: cannot be made: {}", folder, failed.message()));
    options.checkpoint = (std::filesystem::path(folder) / fmt::format("{}.state", scheme)).string();
  }
  EDGEC_ASSIGN(const Trained trained,
               job.made_up ? MadeUpTraining(parameters, teacher, job, samples, options).run(graph, scheme)
                           : train(graph, parameters, teacher, job.ops, *job.calibration, samples, options));
  const std::string text = text_of(trained, job);
  if (trained.improved())
    job.say(scheme, "", text);
  else
    job.skip(scheme, "", text + ": the network stays as it was");
  return trained;
}

} // namespace edgec
