// Static int8: weights symmetric per output channel, activations asymmetric per tensor, biases int32, means corrected.
//
//   y = Relu(Conv(x, W, B))   becomes   xq = QuantizeLinear(x)           : uint8[..]{sx,zx}
//                                       y = Conv(xq, Wq, Bq)             : uint8[..]{sy,0}   the clamp is saturation
// Not touched: operators without an integer form, what --include/--exclude leave out, a Softmax or Sigmoid that only
// feeds an output, and the logits, which stay float.
#include <algorithm>

#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "measure/sizes.h"
#include "schemes/fitting/channel_bias.h"
#include "schemes/fitting/float_layers.h"
#include "schemes/fitting/held_out.h"
#include "schemes/fitting/sensitivity.h"
#include "schemes/int8/coarse_values.h"
#include "schemes/int8/equalize.h"
#include "schemes/int8/exact_inputs.h"
#include "schemes/int8/fit_weights.h"
#include "schemes/int8/gain.h"
#include "schemes/int8/mixed_precision.h"
#include "schemes/int8/options.h"
#include "schemes/rate/rate_search.h"
#include "schemes/scheme.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "quantize-int8";

/// A float network to be quantized, and what calibration knows of it: what the whole and the halves of cross-fitting
/// start from.
struct Source {
  Graph graph;
  Graph original; ///< whose outputs and means are kept: the same, or before other lossy passes; same ids
  NetworkSpec spec;
  Int8Plan plan;
  Calibration ranges;               ///< of graph
  std::optional<Calibration> means; ///< of original, where it differs
  std::vector<EqualizedTensor> tensors;
  Sensitivities sensitivities; ///< of layers, where codes are chosen by a rate
  std::size_t left = 0;        ///< layers that stay float, since codes would take more bytes

  [[nodiscard]] RangeStatistics means_of(std::span<const int> folds) const {
    return (means ? *means : ranges).merged(folds);
  }
};

void leave_float(const std::vector<CoarseValue> &values, NetworkSpec &spec, const Job &job) {
  for (const CoarseValue &coarse : values) {
    spec.other_values[coarse.value] = std::nullopt;
    job.skip(name, coarse.node, coarse.why);
  }
}

/// The plan once more, after its spec has changed.
void plan_again(Source &source, const Job &job) {
  Job quiet = job;
  quiet.note = nullptr;
  auto exact = std::move(source.plan.exact);
  source.plan = plan_int8(source.graph, quiet, source.spec);
  std::erase_if(exact, [&](const auto &input) { return !source.plan.quantized.contains(input.first); });
  source.plan.exact = std::move(exact);
}

/// Gathers ranges and means. Where infinities show, the plan changes: the few samples that judged it may have had none.
Status calibrate_source(Source &source, const Job &job) {
  CalibrationOptions options;
  for (const auto &[id, number] : source.plan.quantized)
    if (source.graph.constant(id) == nullptr) options.ranges.push_back(id);
  for (const Int8Layer &layer : source.plan.layers) options.channel_means.push_back(layer.target);
  for (const EqualizedTensor &tensor : source.tensors) options.channel_spreads.push_back(tensor.value);
  options.histograms = job.options<Int8Options>().range != "minmax";
  options.threads = job.threads;
  options.isa = job.isa;
  options.progress = layer_progress(job, "calibrating");
  EDGEC_ASSIGN(source.ranges, calibrate(source.graph, job.ops, *job.calibration, job.samples, options));
  const int both[] = {0, 1};
  if (const auto infinite = find_infinite_values(source.graph, source.plan, source.ranges.merged(both));
      !infinite.empty()) {
    leave_float(infinite, source.spec, job);
    plan_again(source, job);
    return calibrate_source(source, job);
  }
  if (job.original == nullptr) return {};
  options.ranges.clear();
  options.channel_spreads.clear();
  options.histograms = false;
  EDGEC_ASSIGN(source.means, calibrate(source.original, job.ops, *job.calibration, job.samples, options));
  return {};
}

/// Where codes would make the file larger, only layers that get smaller have them.
void leave_what_grows(Source &source, const Job &job) {
  const auto worth = layers_worth_codes(source.graph, source.plan);
  if (!worth) return;
  for (const Int8Layer &layer : source.plan.layers)
    if (!worth->contains(layer.node)) {
      ++source.left;
      job.skip(name, source.graph.node(layer.node).label(),
               "its codes would take more of the file than they save: QuantizeLinear, DequantizeLinear and scales");
    }
  source.spec.integer_results = false;
  for (const NodeId id : source.graph.nodes())
    if (!worth->contains(id)) source.spec.float_nodes.insert(id);
  plan_again(source, job);
}

/// Adds what 8 bits hold too coarsely to the values that stay float, until nothing is left that they do.
Status leave_coarse_values(const Graph &graph, const std::map<ValueId, Quant> &exact, NetworkSpec &spec,
                           const Job &job) {
  Job silent = job;
  silent.note = nullptr;
  Int8Plan plan = plan_int8(graph, silent, spec);
  plan.exact = exact;
  EDGEC_ASSIGN(const auto found, find_coarse_values(graph, plan, job));
  leave_float(found, spec, job);
  return {};
}

/// Every value that would become 8-bit codes gets 16 bits, but those that 8 hold exactly, and what only moves elements
/// of others.
void widen_values(const Graph &graph, const std::map<ValueId, Quant> &exact, NetworkSpec &spec, const Job &job) {
  Job silent = job;
  silent.note = nullptr;
  for (const auto &[id, number] : plan_int8(graph, silent, {}).quantized) {
    const Node *producer = graph.producer(id);
    const OpDef *op = producer != nullptr ? job.ops.find(*producer) : nullptr;
    const bool moved = op != nullptr && op->quant == QuantRule::same_scale;
    if (graph.constant(id) == nullptr && !exact.contains(id) && !moved) spec.other_values[id] = uint16_values;
  }
}

/// Whether a budget decides how many values have more than 8 bits.
bool mixes_precision(const Settings &settings) {
  return settings.get<RateOptions>().max_drop.has_value() && !rounds_weights(settings);
}

/// What the options ask of every layer and value.
NetworkSpec spec_of(const Int8Options &options) {
  NetworkSpec spec;
  spec.weights.bits = options.weight_bits;
  spec.integer_results = options.integer_results;
  return spec;
}

/// The networks, not yet calibrated. Inputs whose values fit 8-bit codes have exactly those, others 16 bits where
/// asked.
Result<Source> prepare(const Graph &graph, const Job &job) {
  std::map<ValueId, Quant> exact;
  const auto &options = job.options<Int8Options>();
  NetworkSpec spec = spec_of(options);
  for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
    EDGEC_ASSIGN(const auto quant, exact_quant(job, i));
    if (quant)
      exact[graph.inputs()[i]] = *quant;
    else if (options.input_bits == 16)
      spec.other_values[graph.inputs()[i]] = uint16_values;
  }
  if (options.activation_bits == 16 && !mixes_precision(job.settings))
    widen_values(graph, exact, spec, job);
  else
    EDGEC_CHECK(leave_coarse_values(graph, exact, spec, job));
  Source source{
      graph, job.original ? *job.original : graph, spec, plan_int8(graph, job, spec), {}, std::nullopt, {}, {}, 0};
  if (job.border_nodes) leave_what_grows(source, job);
  for (const auto &[input, quant] : exact)
    if (source.plan.quantized.contains(input)) {
      source.plan.exact[input] = quant;
      job.say(name, "", fmt::format("input {}: 8 bits hold it exactly", graph.value(input).name));
    }
  if (options.equalize != "off" && job.options<FitOptions>().second_order)
    source.tensors = find_equalizable(graph, job);
  return source;
}

/// The same networks equalized, and calibrated; nothing where no tensor gains by the noise model.
Result<std::optional<Source>> equalized(const Source &source, const Job &job) {
  Source result = source;
  const int both[] = {0, 1};
  choose_factors(source.graph, result.tensors, source.ranges.merged(both), source.spec.weights.levels());
  if (result.tensors.empty()) return std::optional<Source>();
  equalize(result.graph, result.tensors);
  equalize(result.original, result.tensors);
  EDGEC_CHECK(calibrate_source(result, job));
  return std::optional<Source>(std::move(result));
}

/// After other lossy passes the layers are fitted to the weights before these; what was pruned stays zero.
void aim_at_original(std::vector<Int8LayerState> &layers, const Source &source) {
  if (!source.means) return;
  for (Int8LayerState &layer : layers) {
    const Node &node = source.original.node(layer.node);
    const Tensor *weight = source.original.constant(node.input(layer.weights.weight));
    auto rows = weight ? weight_rows(*weight, layer.weights) : std::nullopt;
    if (!rows || rows->data.size() != layer.original.data.size()) continue;
    for (double &w : rows->data) w *= node.get_float("alpha", 1);
    if (std::ranges::find(layer.original.data, 0.0) != layer.original.data.end()) {
      layer.keep.resize(layer.original.data.size());
      std::ranges::transform(layer.original.data, layer.keep.begin(), [](double w) { return w != 0 ? 1 : 0; });
    }
    layer.original = std::move(*rows);
    if (auto bias = channel_bias(source.original, node, layer.weights)) layer.bias = std::move(*bias);
  }
}

/// The graph quantized on the samples of `folds`; at a rate, if it is not 0.
Result<std::size_t> apply(Graph &graph, const Source &source, std::span<const int> folds, const Job &job,
                          double rate = 0) {
  graph = source.graph;
  EDGEC_ASSIGN(auto layers, retype_int8(graph, source.plan, source.ranges.merged(folds), job));
  aim_at_original(layers, source);
  LayerSteps steps;
  steps.positions = job.options<FitOptions>().positions;
  if (rate > 0)
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) {
      return fit_int8_rate(graph, static_cast<Int8LayerState &>(layer), groups, rate, source.sensitivities, job);
    };
  else if (job.options<FitOptions>().second_order)
    steps.fit = [&](Layer &layer, std::span<FitGroup> groups) {
      return fit_int8(graph, static_cast<Int8LayerState &>(layer), groups, job);
    };
  steps.store_bias = [&](Layer &layer) { store_bias(graph, static_cast<Int8LayerState &>(layer)); };
  steps.progress = layer_progress(job, "fitting layers");
  if (!job.options<Int8Options>().no_bias_correction || steps.fit)
    EDGEC_CHECK(compress_layers(graph, source.original, pointers_to(layers), source.means_of(folds), job, steps));
  graph.remove_dead();
  return layers.size();
}

/// Networks quantized on one half of the samples, judged on the other.
Result<Fidelity> cross_fit(const Source &source, const Job &job) {
  const FitHalf fit = [&](std::span<const std::size_t> samples, std::size_t fold) -> Result<Graph> {
    Job half = on_samples(job, samples);
    half.note = nullptr;
    Graph candidate;
    const int folds[] = {static_cast<int>(fold)};
    EDGEC_CHECK(apply(candidate, source, folds, half));
    return candidate;
  };
  return judge_held_out(*job.reference, fit, job);
}

/// The same job without fitting.
Job rounding_to_nearest(const Job &job) {
  FitOptions fit = job.options<FitOptions>();
  fit.second_order = false;
  return job.with(std::move(fit));
}

/// The range method with the least noise on held-out halves of the samples, rounded to nearest.
Result<std::string> best_range(const Source &source, const Job &job) {
  std::string best = "percentile";
  std::optional<double> most;
  for (const char *method : {"percentile", "minmax", "entropy", "mse"}) {
    Job plain = rounding_to_nearest(job);
    plain.settings.edit<Int8Options>().range = method;
    EDGEC_ASSIGN(const Fidelity held_out, cross_fit(source, plain));
    const double found = held_out.sqnr_db();
    job.say(name, "", fmt::format("range {}: {:.1f} dB on held-out samples, rounded to nearest", method, found));
    if (!most || found > *most) most = found, best = method;
  }
  return best;
}

/// Samples on which it is decided whether to equalize: more than so much work would only show the same difference.
std::vector<std::size_t> judging_samples(const Graph &graph, const Job &job) {
  constexpr double least = 64, most = 1e6, most_macs = 20e9;
  const double macs = std::max(1.0, measure_sizes(graph, job.ops).macs);
  return some_of(job.samples, static_cast<std::size_t>(std::clamp(most_macs / macs, least, most)));
}

/// Equalizes where that gains on held-out halves of some samples; judged by plain rounding and bias correction, whose
/// noise comes from the same ranges and steps. Leaves the source uncalibrated.
Status equalize_where_better(Source &source, const Job &job) {
  const bool judged = job.options<Int8Options>().equalize == "auto";
  Job plain = rounding_to_nearest(job);
  plain.note = nullptr;
  plain.samples = judging_samples(source.graph, job);
  if (auto &range = plain.settings.edit<Int8Options>().range; range == "auto") range = "percentile";
  Source before = source;
  EDGEC_CHECK(calibrate_source(before, plain));
  EDGEC_ASSIGN(const auto after, equalized(before, plain));
  if (!after) return {};
  if (judged) {
    EDGEC_ASSIGN(const Fidelity held_out_without, cross_fit(before, plain));
    EDGEC_ASSIGN(const Fidelity held_out_with, cross_fit(*after, plain));
    const double without = held_out_without.sqnr_db(), with = held_out_with.sqnr_db();
    const auto text = fmt::format(
        "equalization of {} tensors: {:.1f} dB instead of {:.1f} dB on held-out samples, rounded to nearest",
        after->tensors.size(), with, without);
    if (with <= without) {
      job.skip(name, "", text);
      return {};
    }
    job.say(name, "", text);
  }
  source.graph = after->graph;
  source.original = after->original;
  source.tensors = after->tensors;
  return {};
}

/// Raises the values whose codes cost most of the answers until these stay: to floats, or 16 bits where those are
/// asked for. Returns how it does on held-out samples.
Result<Fidelity> mix_precision(Source &source, const Job &job) {
  const double max_drop = *job.options<RateOptions>().max_drop;
  const auto &options = job.options<Int8Options>();
  if (job.reference == nullptr || job.samples.size() < 2)
    return usage_error("--max-drop needs at least two samples (--calib): one half judges what was fitted to the other");
  const bool wide = options.activation_bits == 16;
  const int both[] = {0, 1};
  EDGEC_ASSIGN(const auto quants, choose_quants(source.graph, source.plan, source.ranges.merged(both), options));
  EDGEC_ASSIGN(const auto ladder, value_noises(source.graph, source.plan, quants, job));
  const auto raised = [&](std::size_t count) {
    Source trial = source;
    for (const ValueNoise &rung : std::span(ladder).first(count))
      for (const ValueId id : rung.values)
        trial.spec.other_values[id] = wide ? std::optional(uint16_values) : std::nullopt;
    plan_again(trial, job);
    return trial;
  };
  const JudgeRaised judge = [&](std::size_t count) { return cross_fit(raised(count), job); };
  EDGEC_ASSIGN(Raised chosen, fewest_raised(ladder, max_drop, judge));
  for (const ValueNoise &rung : std::span(ladder).first(chosen.count))
    job.skip(name, rung.node,
             fmt::format("its output {}: 8 bits of it alone leave {:.1f} dB of the answers",
                         wide ? "has 16 bits" : "stays float", -10 * std::log10(rung.noise)));
  source = raised(chosen.count);
  return std::move(chosen.held_out);
}

/// Searches the rate at which the codes meet the budget.
Status quantize_at_rate(Graph &graph, Source &source, const Job &job, SchemeOutcome &outcome) {
  std::vector<NodeId> nodes;
  std::size_t weights = 0;
  for (const Int8Layer &layer : source.plan.layers) {
    nodes.push_back(layer.node);
    weights += static_cast<std::size_t>(
        source.graph.constant(source.graph.node(layer.node).inputs[layer.weights.weight])->size());
  }
  outcome.changed = !nodes.empty();
  EDGEC_ASSIGN(source.sensitivities, layer_sensitivities(source.original, nodes, job));
  EDGEC_ASSIGN(const double power, answer_power(source.original, job));
  const AtRate at_rate = [&](double rate, std::span<const std::size_t> samples) -> Result<Graph> {
    Graph candidate;
    EDGEC_CHECK(apply(candidate, source, folds_of(samples, job), on_samples(job, samples), rate));
    return candidate;
  };
  const HeldOutJudge judge = [&](const FitHalf &fit) { return judge_held_out(*job.reference, fit, job); };
  EDGEC_ASSIGN(RateOutcome rated, search_rate(at_rate, judge, power, job, weights));
  graph = std::move(rated.graph);
  outcome.held_out = std::move(rated.held_out);
  outcome.curve = std::move(rated.curve);
  outcome.smallest = rated.smallest;
  outcome.interrupted = rated.interrupted;
  say_curve(job, name, outcome.curve);
  return {};
}

Result<SchemeOutcome> run(Graph &graph, const Job &given) {
  Job job = given;
  auto &options = job.settings.edit<Int8Options>();
  EDGEC_ASSIGN(Source source, prepare(graph, job));
  const bool judged = job.reference != nullptr && job.samples.size() >= 2;
  if (!source.tensors.empty() && (judged || options.equalize == "on")) EDGEC_CHECK(equalize_where_better(source, job));
  EDGEC_CHECK(calibrate_source(source, job));
  SchemeOutcome outcome;
  if (source.left > 0)
    outcome.warnings.push_back(
        fmt::format("{} of {} layers stay float, and what is between them: all in codes, QuantizeLinear and "
                    "DequantizeLinear would make the file larger (a file OUT.edgec has none)",
                    source.left, source.left + source.plan.layers.size()));
  if (options.range == "auto" && judged) {
    EDGEC_ASSIGN(options.range, best_range(source, job));
  }
  if (rounds_weights(job.settings) && !source.plan.layers.empty()) {
    EDGEC_CHECK(quantize_at_rate(graph, source, job, outcome));
    return outcome;
  }
  if (mixes_precision(job.settings)) {
    EDGEC_ASSIGN(outcome.held_out, mix_precision(source, job));
  } else if (job.cross_fit && judged) {
    EDGEC_ASSIGN(outcome.held_out, cross_fit(source, job));
  }
  const int both[] = {0, 1};
  EDGEC_ASSIGN(const std::size_t layers, apply(graph, source, both, job));
  outcome.changed = layers > 0;
  return outcome;
}

void declare(Options &options, Settings &settings) {
  auto &int8 = settings.edit<Int8Options>();
  constexpr const char *group = "Static int8";
  options.group(group);
  options
      .flag("--int8", &int8.wanted,
            "weights symmetric per output channel, activations asymmetric per tensor, ranges found on samples")
      .loses()
      .records();
  options.add("--range", "METHOD", &int8.range, "how activation ranges are chosen")
      .one_of({"minmax", "percentile", "entropy", "mse", "auto"})
      .needs("int8")
      .records();
  options.add("--percentile", "P", &int8.percentile, "of --range percentile")
      .between(50, 100)
      .needs("int8")
      .needs("range=percentile")
      .records();
  options
      .flag("--no-bias-correction", &int8.no_bias_correction,
            "do not correct biases for the mean shift that rounding causes")
      .needs("int8")
      .records();
  declare_fit_options(options, settings);
  options.group(group);
  options
      .add("--equalize", "WHEN", &int8.equalize,
           "cross-layer equalization of per-channel ranges; auto: only where it improves SQNR on held-out samples")
      .one_of({"off", "on", "auto"})
      .needs("int8")
      .needs("effort!=fast")
      .records();
  options
      .add("--input-bits", "BITS", &int8.input_bits,
           "8, or 16 for inputs that 8 cannot hold exactly (opset 21); layers that read them compute on floats")
      .one_of({"8", "16"})
      .needs("int8")
      .records_changes();
  options
      .add("--activation-bits", "BITS", &int8.activation_bits,
           "8, or 16 for all values between layers (opset 21): layers then compute on floats, with weights in 8 bits")
      .one_of({"8", "16"})
      .needs("int8")
      .records_changes();
  options.add("--weight-bits", "BITS", &int8.weight_bits, "8, or 4 (opset 21)")
      .one_of({"4", "8"})
      .needs("int8")
      .records_changes();
}

bool wanted(const Settings &settings) { return settings.get<Int8Options>().wanted; }

Status check(const Settings &settings) {
  const auto &int8 = settings.get<Int8Options>();
  for (const auto &[flag, bits] :
       {std::pair{"--input-bits", int8.input_bits}, {"--activation-bits", int8.activation_bits}})
    if (int8.integer_results && bits != 8)
      return usage_error(fmt::format("{} {}: operators in integer form (--format qoperator) read 8 bits", flag, bits));
  return {};
}

std::int64_t least_opset(const Settings &settings, bool) {
  const auto &int8 = settings.get<Int8Options>();
  int least = 0;
  for (const int bits : {int8.weight_bits, int8.input_bits, int8.activation_bits})
    least = std::max(least, NumberSpec{bits}.least_opset());
  return least;
}

std::vector<SchemeStep> steps(const Job &job) {
  std::vector<SchemeStep> found;
  const auto add = [&](int times, SchemeStep step) {
    found.insert(found.end(), static_cast<std::size_t>(times), step);
  };
  const bool judged = job.options<FitOptions>().second_order && job.options<Int8Options>().equalize == "auto";
  const bool searched = rounds_weights(job.settings), mixed = mixes_precision(job.settings);
  add(judged ? 2 : 0, {"calibrating", 1});
  add(judged ? 4 : 0, {"fitting layers", .5});
  add(1, {"calibrating", 2});
  add(searched ? 1 : 0, {"searching the rate", 60});
  add(mixed ? 1 : 0, {"measuring what each value's codes cost", 4});
  add(searched ? 0 : mixed ? 7 : job.cross_fit ? 3 : 1, {"fitting layers", 8});
  return found;
}

} // namespace

extern const SchemeDef quantize_int8;
const SchemeDef quantize_int8{.name = name,
                              .flag = "--int8",
                              .summary = "Static int8: weights per channel, activations per tensor, biases corrected",
                              .phase = Phase::numbers,
                              .place = 80,
                              .needs = Needs::samples,
                              .fits = true,
                              .meets_size = true,
                              .declare = declare,
                              .wanted = wanted,
                              .check = check,
                              .least_opset = least_opset,
                              .steps = steps,
                              .run = run};

} // namespace edgec::schemes
