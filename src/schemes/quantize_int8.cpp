// Static int8: weights symmetric per output channel, activations asymmetric per tensor, biases int32, means corrected.
//
//   y = Relu(Conv(x, W, B))   becomes   xq = QuantizeLinear(x)           : uint8[..]{sx,zx}
//                                       y = Conv(xq, Wq, Bq)             : uint8[..]{sy,0}   the clamp is saturation
// Not touched: operators without an integer form, what --include/--exclude leave out, a Softmax or Sigmoid that only
// feeds an output, and the logits, which stay float.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "measure/sizes.h"
#include "schemes/fitting/float_layers.h"
#include "schemes/fitting/held_out.h"
#include "schemes/fitting/sensitivity.h"
#include "schemes/int8/activations.h"
#include "schemes/int8/exact_inputs.h"
#include "schemes/int8/gain.h"
#include "schemes/int8/mixed_precision.h"
#include "schemes/int8/options.h"
#include "schemes/int8/overrides.h"
#include "schemes/int8/source.h"
#include "schemes/int8/target.h"
#include "schemes/int8/uncoded.h"
#include "schemes/rate/rate_search.h"
#include "schemes/scheme.h"
#include "schemes/stored/options.h"

namespace edgec::schemes {
namespace {

/// Where codes would make the file larger, only layers that get smaller have them.
void leave_what_grows(Int8Source &source, const Job &job) {
  const auto worth = layers_worth_codes(source.graph, source.plan);
  if (!worth) return;
  for (const Int8Layer &layer : source.plan.layers)
    if (!worth->contains(layer.node)) {
      ++source.left;
      job.skip(int8_name, source.graph.node(layer.node).label(),
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

/// Of 4 bits and fewer, as networks are trained with them (Esser et al. 2020): what layers read has so many, but what
/// the first and the last read, and their weights, 8; all else is computed on reals.
void shorten_values(const Graph &graph, const std::map<ValueId, Quant> &exact, const Job &job, NetworkSpec &spec) {
  Job silent = job;
  silent.note = nullptr;
  const NumberSpec number{job.options<Int8Options>().activation_bits, false};
  const Int8Plan plan = plan_int8(graph, silent, {});
  for (const auto &[id, bytes] : plan.quantized)
    if (!exact.contains(id)) spec.other_values[id] = std::nullopt;
  for (const Int8Layer &layer : plan.layers)
    if (!exact.contains(layer.data)) spec.other_values[layer.data] = number;
  if (plan.layers.empty()) return;
  for (const Int8Layer *end : {&plan.layers.front(), &plan.layers.back()}) {
    spec.other_values.erase(end->data);
    spec.other_weights[end->node] = int8_weights;
    job.say(int8_name, graph.node(end->node).label(), "reads and holds 8 bits, as the first and the last layer do");
  }
}

/// What the options ask of every layer and value.
NetworkSpec spec_of(const Int8Options &options) {
  NetworkSpec spec;
  spec.weights.bits = options.weight_bits;
  if (const Target *target = find_target(options.target)) {
    spec.values = target->values;
    spec.weights.bits = std::min(spec.weights.bits, target->weight_bits);
  }
  spec.integer_results = options.integer_results;
  return spec;
}

/// What a runtime has no integer form of stays float, and activations that it computes with the layer before.
void leave_to_target(const Target &target, const Graph &graph, const Job &job, NetworkSpec &spec) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const OpDef *op = job.ops.find(node);
    if (op == nullptr) continue;
    if (!target.computes(*op)) {
      spec.float_nodes.insert(id);
      job.skip(int8_name, node.label(), fmt::format("{} computes {} on floats", target.name, node.op));
      continue;
    }
    if (!target.fuses_activations || !as_clamp(graph, node)) continue;
    const Node *before = graph.producer(node.inputs[0]);
    const OpDef *layer = before != nullptr ? job.ops.find(*before) : nullptr;
    if (layer == nullptr || graph.sole_user(node.inputs[0]) != id || as_clamp(graph, *before)) continue;
    if (layer->quant != QuantRule::own_scale || !target.computes(*layer)) continue;
    spec.float_nodes.insert(id);
    spec.fused.insert(id);
  }
}

/// What is asked where values have codes already: these and no others, and weights of as many bits at most.
NetworkSpec kept_spec(const Graph &graph, const KeptCodes &kept, NetworkSpec spec) {
  for (const ValueId id : graph.values()) {
    const auto found = kept.values.find(id);
    spec.other_values[id] = found == kept.values.end() ? std::nullopt : std::optional(found->second.number);
  }
  for (const NodeId id : graph.nodes())
    if (!kept.nodes.contains(id)) spec.float_nodes.insert(id);
  for (const auto &[id, number] : kept.weights)
    if (number.bits < spec.weights.bits) spec.other_weights[id] = number;
  return spec;
}

/// The network of codes that was read, as floats, with the codes that its values had.
Result<Int8Source> prepare_again(const Graph &graph, const Job &job) {
  NetworkSpec spec = kept_spec(graph, *job.kept, spec_of(job.options<Int8Options>()));
  EDGEC_CHECK(apply_overrides(graph, job, spec));
  Job quiet = job;
  quiet.note = nullptr;
  Int8Source source{
      graph, job.original ? *job.original : graph, spec, plan_int8(graph, quiet, spec), {}, std::nullopt, {}, {}, 0};
  for (const auto &[id, number] : source.plan.quantized)
    if (const auto found = job.kept->values.find(id); found != job.kept->values.end())
      source.plan.exact[id] = found->second.quant;
  std::size_t layers = 0;
  for (const Int8Layer &layer : source.plan.layers) layers += job.kept->weights.contains(layer.node) ? 1 : 0;
  job.say(int8_name, "",
          fmt::format("{} values keep the codes that they had, {} layers get weights anew", source.plan.exact.size(),
                      layers));
  return source;
}

/// The networks, not yet calibrated. Inputs whose values fit 8-bit codes have exactly those, others 16 bits where
/// asked.
Result<Int8Source> prepare(const Graph &graph, const Job &job) {
  if (job.kept != nullptr) return prepare_again(graph, job);
  std::map<ValueId, Quant> exact;
  const auto &options = job.options<Int8Options>();
  NetworkSpec spec = spec_of(options);
  if (const Target *target = find_target(options.target)) leave_to_target(*target, graph, job, spec);
  for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
    EDGEC_ASSIGN(auto quant, exact_quant(job, i));
    if (quant && spec.values.has_sign) quant->zero_points.front() += spec.values.low();
    if (quant && !(spec.values.symmetric && quant->zero_point() != 0))
      exact[graph.inputs()[i]] = *quant;
    else if (options.input_bits == 16)
      spec.other_values[graph.inputs()[i]] = uint16_values;
  }
  if (options.activation_bits == 16 && !mixes_precision(job.settings))
    widen_values(graph, exact, spec, job);
  else if (options.activation_bits < 8)
    shorten_values(graph, exact, job, spec);
  else
    EDGEC_CHECK(leave_coarse_values(graph, exact, spec, job));
  EDGEC_CHECK(apply_overrides(graph, job, spec));
  Int8Source source{
      graph, job.original ? *job.original : graph, spec, plan_int8(graph, job, spec), {}, std::nullopt, {}, {}, 0};
  if (job.border_nodes) leave_what_grows(source, job);
  for (const auto &[input, quant] : exact)
    if (source.plan.quantized.contains(input)) {
      source.plan.exact[input] = quant;
      job.say(int8_name, "", fmt::format("input {}: 8 bits hold it exactly", graph.value(input).name));
    }
  // A table's ranges are those of channels as they are.
  if (options.equalize != "off" && job.options<FitOptions>().second_order && job.ranges == nullptr)
    source.tensors = find_equalizable(graph, job);
  return source;
}

/// The same networks equalized, and calibrated; nothing where no tensor gains by the noise model.
Result<std::optional<Int8Source>> equalized(const Int8Source &source, const Job &job) {
  Int8Source result = source;
  const int both[] = {0, 1};
  choose_factors(source.graph, result.tensors, source.ranges.merged(both), source.spec.weights.levels());
  if (result.tensors.empty()) return std::optional<Int8Source>();
  equalize(result.graph, result.tensors);
  equalize(result.original, result.tensors);
  EDGEC_CHECK(calibrate_source(result, job));
  return std::optional<Int8Source>(std::move(result));
}

/// The same job without fitting.
Job rounding_to_nearest(const Job &job) {
  FitOptions fit = job.options<FitOptions>();
  fit.second_order = false;
  return job.with(std::move(fit));
}

/// The range method with the least noise on held-out halves of the samples, rounded to nearest.
Result<std::string> best_range(const Int8Source &source, const Job &job) {
  std::string best = "percentile";
  std::optional<double> most;
  for (const char *method : {"percentile", "minmax", "entropy", "mse"}) {
    Job plain = rounding_to_nearest(job);
    plain.settings.edit<Int8Options>().range = method;
    EDGEC_ASSIGN(const Fidelity held_out, cross_fit(source, plain));
    const double found = held_out.sqnr_db();
    job.say(int8_name, "", fmt::format("range {}: {:.1f} dB on held-out samples, rounded to nearest", method, found));
    if (!most || found > *most) most = found, best = method;
  }
  return best;
}

/// Samples on which it is decided whether to equalize: more than so much work would only show the same difference.
std::vector<std::size_t> judging_samples(const Graph &graph, const Job &job) {
  constexpr double least = 64, most = 1e6, most_macs = 5e9;
  const double macs = std::max(1.0, measure_sizes(graph, job.ops, false).macs);
  return some_of(job.samples, static_cast<std::size_t>(std::clamp(most_macs / macs, least, most)));
}

/// Equalizes where that gains on held-out halves of some samples (one half alone may lack the sample that loses by it);
/// judged by plain rounding and bias correction, whose
/// noise comes from the same ranges and steps. Returns whether that left the source calibrated: all samples judged.
Result<bool> equalize_where_better(Int8Source &source, const Job &job) {
  const bool judged = job.options<Int8Options>().equalize == "auto";
  Job plain = rounding_to_nearest(job);
  plain.note = nullptr;
  plain.samples = judging_samples(source.graph, job);
  const bool by_all = plain.samples == job.samples;
  const auto leave = [&](Int8Source &chosen) {
    if (by_all) source = std::move(chosen);
    return by_all;
  };
  if (auto &range = plain.settings.edit<Int8Options>().range; range == "auto") range = "percentile";
  Int8Source before = source;
  EDGEC_CHECK(calibrate_source(before, by_all ? job : plain));
  EDGEC_ASSIGN(auto after, equalized(before, by_all ? job : plain));
  if (!after) return leave(before);
  if (judged) {
    EDGEC_ASSIGN(const Fidelity held_out_without, cross_fit(before, plain));
    EDGEC_ASSIGN(const Fidelity held_out_with, cross_fit(*after, plain));
    const double without = held_out_without.sqnr_db(), with = held_out_with.sqnr_db();
    const auto text = fmt::format(
        "equalization of {} tensors: {:.1f} dB instead of {:.1f} dB on held-out samples, rounded to nearest",
        after->tensors.size(), with, without);
    if (with <= without) {
      job.skip(int8_name, "", text);
      return leave(before);
    }
    job.say(int8_name, "", text);
  }
  if (by_all) return leave(*after);
  source.graph = after->graph;
  source.original = after->original;
  source.tensors = after->tensors;
  return false;
}

/// Searches the rate at which the codes meet the budget.
Status quantize_at_rate(Graph &graph, Int8Source &source, const Job &job, SchemeOutcome &outcome) {
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
    EDGEC_CHECK(quantize_source(candidate, source, folds_of(samples, job), on_samples(job, samples), rate));
    return candidate;
  };
  const HeldOutJudge judge = [&](const FitHalf &fit) { return judge_held_out(*job.reference, fit, job); };
  EDGEC_ASSIGN(RateOutcome rated, search_rate(at_rate, judge, power, job, weights));
  graph = std::move(rated.graph);
  outcome.held_out = std::move(rated.held_out);
  outcome.curve = std::move(rated.curve);
  outcome.smallest = rated.smallest;
  outcome.interrupted = rated.interrupted;
  say_curve(job, int8_name, outcome.curve);
  return {};
}

Result<SchemeOutcome> run(Graph &graph, const Job &given) {
  Job job = given;
  auto &options = job.settings.edit<Int8Options>();
  const CodeKinds coded = code_kinds(graph, job.ops);
  if (coded.values > 0)
    job.say(
        int8_name, "",
        fmt::format("{} values and the weights of {} layers are codes already: kept (--recalibrate finds new ranges)",
                    coded.values, coded.weights));
  // --effort fast fits to one half of many samples; the other judges.
  const bool by_half = job.options<FitOptions>().effort == "fast" && job.samples.size() > enough_judging &&
                       !rounds_weights(job.settings) && !mixes_precision(job.settings);
  if (by_half) job.samples = half_of(given.samples, 0);
  EDGEC_ASSIGN(Int8Source source, prepare(graph, job));
  const bool judged = job.reference != nullptr && job.samples.size() >= 2;
  bool calibrated = false;
  if (!source.tensors.empty() && (judged || options.equalize == "on")) {
    EDGEC_ASSIGN(calibrated, equalize_where_better(source, job));
  }
  if (!calibrated) EDGEC_CHECK(calibrate_source(source, job));
  SchemeOutcome outcome;
  if (source.left > 0)
    outcome.warnings.push_back(
        fmt::format("{} of {} layers stay float, and what is between them: all in codes, QuantizeLinear and "
                    "DequantizeLinear would make the file larger (a file OUT.edgec has none)",
                    source.left, source.left + source.plan.layers.size()));
  if (options.range == "auto" && judged && job.kept == nullptr) {
    EDGEC_ASSIGN(options.range, best_range(source, job));
  }
  if (rounds_weights(job.settings) && !source.plan.layers.empty()) {
    EDGEC_CHECK(quantize_at_rate(graph, source, job, outcome));
    return outcome;
  }
  if (mixes_precision(job.settings)) {
    EDGEC_ASSIGN(outcome.held_out, mix_precision(source, job));
  }
  const bool to_judge = !outcome.held_out && job.cross_fit && judged;
  if (to_judge && !by_half) {
    EDGEC_ASSIGN(outcome.held_out, judge_for_report(source, job));
  }
  const int both[] = {0, 1};
  Graph quantized;
  EDGEC_ASSIGN(const std::size_t layers, quantize_source(quantized, source, both, job));
  if (to_judge && by_half) {
    EDGEC_ASSIGN(outcome.held_out, judge(*job.reference, quantized, on_samples(given, half_of(given.samples, 1))));
  }
  outcome.changed = layers > 0;
  outcome.satisfied = coded.values > 0;
  if (!outcome.changed) return outcome;
  graph = std::move(quantized);
  EDGEC_ASSIGN(outcome.activations, activation_figures(source, options));
  return outcome;
}

/// The option has an effect with ranges found on samples.
Option &for_static(Option &option, const Int8Options &int8) {
  return option.needs("int8").needs("with --int8 dynamic or weights", [&int8] { return int8.is_static(); });
}

void declare_numbers(Options &options, Int8Options &int8) {
  const auto only_static = [&int8](Option &option) -> Option & { return for_static(option, int8); };
  only_static(
      options.add("--input-bits", "BITS", &int8.input_bits,
                  "8, or 16 for inputs that 8 cannot hold exactly (opset 21); layers that read them compute on floats"))
      .one_of({"8", "16"})
      .records_changes();
  only_static(
      options.add(
          "--activation-bits", "BITS", &int8.activation_bits,
          "8; 16 for all values between layers (opset 21): layers then compute on floats, with weights in 8 bits; 4 "
          "or 3 for what layers read but the first and the last, which keep 8 (opset 21; see --tune)"))
      .one_of({"3", "4", "8", "16"})
      .records_changes();
  only_static(options.add("--weight-bits", "BITS", &int8.weight_bits, "8, 4 or 3 (opset 21)"))
      .one_of({"3", "4", "8"})
      .records_changes();
  only_static(options.add("--keep-float", "NAME", &int8.keep_float,
                          "nodes that compute on floats: a regular expression that fits the whole name, an operator "
                          "type, first or last (layer); may be given again"))
      .records();
  only_static(
      options.add("--precision", "NAME=TYPE", &int8.precision,
                  "numbers of such nodes: float, int8, int16 (outputs, or an input of that name; opset 21), int4 "
                  "(weights; opset 21); a later one wins; may be given again"))
      .records();
}

void declare(Options &options, Settings &settings) {
  auto &int8 = settings.edit<Int8Options>();
  constexpr const char *group = "Int8";
  options.group(group);
  options
      .add("--int8", "MODE", &int8.mode,
           "weights symmetric per output channel; activations asymmetric per tensor, static: by ranges found on "
           "samples, dynamic: by those that they have when the network runs (MatMul, Gemm), weights: float; auto: "
           "static, without samples of tokens dynamic")
      .one_of({"auto", "static", "dynamic", "weights"})
      .implies("auto")
      .is_common()
      .loses()
      .finally([&int8, &settings] {
        if (int8.wanted() && !int8.is_static()) settings.edit<StoredOptions>().type = "int8";
        return Status();
      })
      .records([&int8] { return int8.mode == "auto" ? std::string("true") : int8.mode; });
  const auto only_static = [&int8](Option &option) -> Option & { return for_static(option, int8); };
  options
      .add("--target", "RUNTIME", &int8.target,
           "the runtime: what it has no integer form of stays float, numbers are written as it wants them (tensorrt: "
           "symmetric, float biases; tflite: signed; ort-avx2, where sums of two products saturate: weights of 7 "
           "bits); with --int8 dynamic: ort multiplies codes in LSTMs, too, by an operator of its own")
      .one_of(target_names())
      .is_common()
      .needs("int8")
      .needs("with --int8 weights, or dynamic but for ort",
             [&int8] {
               const Target *target = find_target(int8.target);
               return int8.is_static() || (int8.mode == "dynamic" && target != nullptr && target->recurrent_codes);
             })
      .records();
  only_static(options.add("--range", "METHOD", &int8.range, "how activation ranges are chosen"))
      .one_of({"minmax", "percentile", "entropy", "mse", "auto"})
      .records();
  only_static(options.flag("--recalibrate", &int8.recalibrate,
                           "a network of codes: find the ranges of its values anew on the samples of --calib, instead "
                           "of keeping its codes"))
      .records();
  only_static(options.add("--percentile", "P", &int8.percentile, "of --range percentile"))
      .between(50, 100)
      .needs("range=percentile")
      .records();
  only_static(options.flag("--no-bias-correction", &int8.no_bias_correction,
                           "do not correct biases for the mean shift that rounding causes"))
      .records();
  declare_fit_options(options, settings);
  options.group(group);
  only_static(
      options.add(
          "--equalize", "WHEN", &int8.equalize,
          "cross-layer equalization of per-channel ranges; auto: only where it improves SQNR on held-out samples"))
      .one_of({"off", "on", "auto"})
      .needs("effort!=fast")
      .records();
  declare_numbers(options, int8);
}

bool wanted(const Settings &settings) { return settings.get<Int8Options>().is_static(); }

Status check(const Settings &settings) {
  const auto &int8 = settings.get<Int8Options>();
  for (const auto &[flag, bits] :
       {std::pair{"--input-bits", int8.input_bits}, {"--activation-bits", int8.activation_bits}})
    if (int8.integer_results && bits != 8)
      return usage_error(fmt::format("{} {}: operators in integer form (--format qoperator) read 8 bits", flag, bits));
  if (const Target *target = find_target(int8.target)) {
    const bool other =
        needs_opset_21(int8) || std::ranges::any_of(std::array{int8.weight_bits, int8.input_bits, int8.activation_bits},
                                                    [](int bits) { return bits != 8; });
    if (target->bytes_only && other)
      return usage_error(fmt::format("--target {}: it computes on codes of 8 bits, not of 4 or 16", target->name));
    if (target->float_biases && int8.integer_results)
      return usage_error(fmt::format("--target {}: it reads QuantizeLinear and DequantizeLinear, not operators in "
                                     "integer form (--format qoperator)",
                                     target->name));
  }
  return check_overrides(int8);
}

std::int64_t least_opset(const Settings &settings, bool) {
  const auto &int8 = settings.get<Int8Options>();
  int least = needs_opset_21(int8) ? 21 : 0;
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
const SchemeDef quantize_int8{
    .name = int8_name,
    .flag = "--int8",
    .summary = "Static int8: weights per channel, activations per tensor, biases corrected",
    .phase = Phase::numbers,
    .place = 80,
    .needs = Needs::samples,
    .fits = true,
    .learns = Learns::codes,
    .meets_size = true,
    .uncodes = [](const Settings &settings) { return settings.get<Int8Options>().renews_codes(); },
    .declare = declare,
    .wanted = wanted,
    .check = check,
    .least_opset = least_opset,
    .steps = steps,
    .run = run};

} // namespace edgec::schemes
