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
#include "passes/channel_bias.h"
#include "passes/held_out.h"
#include "passes/quantize/_coarse_values.h"
#include "passes/quantize/_equalize.h"
#include "passes/quantize/_input_grid.h"
#include "passes/quantize/_int8_fit.h"
#include "passes/quantize/_int8_gain.h"
#include "passes/quantize/int8.h"
#include "passes/sensitivity.h"

namespace edgec {
namespace {

/// A float network to be quantized, and what calibration knows of it: what the whole and the halves of cross-fitting
/// start from.
struct Source {
  Graph graph;
  Graph original; ///< whose outputs and means are kept: the same, or before other lossy passes; same ids
  Int8Constraints constraints;
  Int8Plan plan;
  Calibration ranges;                  ///< of graph
  std::optional<Calibration> means;    ///< of original, where it differs
  std::vector<EqualizedTensor> tensors;
  Sensitivities sensitivities;         ///< of layers, where codes are chosen by a rate
  std::size_t left = 0;                ///< layers that stay float, since codes would take more bytes

  [[nodiscard]] RangeStatistics means_of(std::span<const int> folds) const { return (means ? *means : ranges).merged(folds); }
};

void leave_float(const std::vector<CoarseValue> &values, Int8Constraints &constraints, const PassContext &context) {
  for (const CoarseValue &coarse : values) {
    constraints.reals.insert(coarse.value);
    constraints.wide.erase(coarse.value);
    context.skip("quantize-int8", coarse.node, coarse.why);
  }
}

/// The plan once more, after its constraints have changed.
void plan_again(Source &source, const PassContext &context) {
  PassContext quiet = context;
  quiet.note = nullptr;
  auto exact = std::move(source.plan.exact);
  source.plan = plan_int8(source.graph, quiet, source.constraints);
  std::erase_if(exact, [&](const auto &input) { return !source.plan.quantized.contains(input.first); });
  source.plan.exact = std::move(exact);
}

/// Gathers ranges and means. Where infinities show, the plan changes: the few samples that judged it may have had none.
Status calibrate_source(Source &source, const PassContext &context, const Int8Request &request) {
  CalibrationOptions options;
  options.ranges.assign(source.plan.quantized.begin(), source.plan.quantized.end());
  std::erase_if(options.ranges, [&](ValueId id) { return source.graph.constant(id) != nullptr; });
  for (const Int8Layer &layer : source.plan.layers) options.channel_means.push_back(layer.target);
  for (const EqualizedTensor &tensor : source.tensors) options.channel_spreads.push_back(tensor.value);
  options.histograms = context.lossy.range != "minmax";
  options.threads = context.threads;
  options.isa = context.isa;
  if (request.progress) options.progress = [&](std::size_t done, std::size_t all) { request.progress("calibrating", done, all); };
  EDGEC_ASSIGN(source.ranges, calibrate(source.graph, context.ops, *context.calibration, context.samples, options));
  const int both[] = {0, 1};
  if (const auto infinite = find_infinite_values(source.graph, source.plan, source.ranges.merged(both)); !infinite.empty()) {
    leave_float(infinite, source.constraints, context);
    plan_again(source, context);
    return calibrate_source(source, context, request);
  }
  if (context.original == nullptr) return {};
  options.ranges.clear();
  options.channel_spreads.clear();
  options.histograms = false;
  EDGEC_ASSIGN(source.means, calibrate(source.original, context.ops, *context.calibration, context.samples, options));
  return {};
}

/// Where codes would make the file larger, only layers that get smaller have them.
void leave_what_grows(Source &source, const PassContext &context) {
  const auto worth = layers_worth_codes(source.graph, source.plan, context.lossy.weight_bits);
  if (!worth) return;
  for (const Int8Layer &layer : source.plan.layers)
    if (!worth->contains(layer.node)) {
      ++source.left;
      context.skip("quantize-int8", source.graph.node(layer.node).label(),
                   "its codes would take more of the file than they save: QuantizeLinear, DequantizeLinear and scales");
    }
  source.constraints.integer_results = false;
  source.constraints.only = *worth;
  plan_again(source, context);
}

/// Adds what 8 bits hold too coarsely to the values that stay float, until nothing is left that they do.
Status leave_coarse_values(const Graph &graph, const std::map<ValueId, Quant> &exact, Int8Constraints &constraints,
                           const PassContext &context) {
  PassContext silent = context;
  silent.note = nullptr;
  Int8Plan plan = plan_int8(graph, silent, constraints);
  plan.exact = exact;
  EDGEC_ASSIGN(const auto found, find_coarse_values(graph, plan, context));
  leave_float(found, constraints, context);
  return {};
}

/// The networks, not yet calibrated. Inputs whose values fit 8-bit codes have exactly those, others 16 bits where asked.
Result<Source> prepare(const Graph &graph, const PassContext &context, const Int8Request &request) {
  std::map<ValueId, Quant> exact;
  Int8Constraints constraints{.integer_results = context.lossy.integer_results, .wide = {}, .reals = {}};
  for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
    EDGEC_ASSIGN(const auto quant, exact_quant(context, i));
    if (quant) exact[graph.inputs()[i]] = *quant;
    else if (context.lossy.input_bits == 16) constraints.wide.insert(graph.inputs()[i]);
  }
  EDGEC_CHECK(leave_coarse_values(graph, exact, constraints, context));
  Source source{graph, context.original ? *context.original : graph, constraints, plan_int8(graph, context, constraints), {}, std::nullopt, {}, {}, 0};
  if (request.border_nodes) leave_what_grows(source, context);
  for (const auto &[input, quant] : exact)
    if (source.plan.quantized.contains(input)) {
      source.plan.exact[input] = quant;
      context.say("quantize-int8", "", fmt::format("input {}: 8 bits hold it exactly", graph.value(input).name));
    }
  for (const auto &[input, readers] : source.plan.wide)
    for (const NodeId reader : readers)
      context.skip("quantize-int8", graph.node(reader).label(),
                   fmt::format("computes on the reals of input {}'s 16-bit codes", graph.value(input).name));
  if (context.lossy.equalize != Choice::off && context.lossy.second_order) source.tensors = find_equalizable(graph, context);
  return source;
}

/// The same networks equalized, and calibrated; nothing where no tensor gains by the noise model.
Result<std::optional<Source>> equalized(const Source &source, const PassContext &context, const Int8Request &request) {
  Source result = source;
  const int both[] = {0, 1};
  choose_factors(source.graph, result.tensors, source.ranges.merged(both), weight_levels(context.lossy));
  if (result.tensors.empty()) return std::optional<Source>();
  equalize(result.graph, result.tensors);
  equalize(result.original, result.tensors);
  EDGEC_CHECK(calibrate_source(result, context, request));
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
Result<std::size_t> apply(Graph &graph, const Source &source, std::span<const int> folds, const PassContext &context,
                          const Int8Request &request, double rate = 0) {
  graph = source.graph;
  EDGEC_ASSIGN(auto layers, retype_int8(graph, source.plan, source.ranges.merged(folds), context));
  aim_at_original(layers, source);
  LayerSteps steps;
  steps.positions = context.lossy.positions;
  if (rate > 0)
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) {
      return fit_int8_rate(graph, static_cast<Int8LayerState &>(layer), groups, rate, source.sensitivities, context);
    };
  else if (context.lossy.second_order)
    steps.fit = [&](Layer &layer, std::span<FitGroup> groups) {
      return fit_int8(graph, static_cast<Int8LayerState &>(layer), groups, context);
    };
  steps.store_bias = [&](Layer &layer) { store_bias(graph, static_cast<Int8LayerState &>(layer)); };
  if (request.progress)
    steps.progress = [&](std::size_t done, std::size_t all) { request.progress("fitting layers", done, all); };
  std::vector<Layer *> all;
  for (Int8LayerState &layer : layers) all.push_back(&layer);
  if (context.lossy.bias_correction || steps.fit)
    EDGEC_CHECK(compress_layers(graph, source.original, all, source.means_of(folds), context, steps));
  graph.remove_dead();
  return layers.size();
}

/// Networks quantized on one half of the samples, judged on the other.
Result<Fidelity> cross_fit(const Source &source, const PassContext &context, const Int8Request &request) {
  const FitHalf fit = [&](std::span<const std::size_t> samples, std::size_t fold) -> Result<Graph> {
    PassContext half = on_samples(context, samples);
    half.note = nullptr;
    Graph candidate;
    const int folds[] = {static_cast<int>(fold)};
    EDGEC_CHECK(apply(candidate, source, folds, half, request));
    return candidate;
  };
  return judge_held_out(*request.reference, fit, context);
}

/// The range method with the least noise on held-out halves of the samples, rounded to nearest.
Result<std::string> best_range(const Source &source, const PassContext &context, const Int8Request &request) {
  std::string best = "percentile";
  std::optional<double> most;
  for (const char *method : {"percentile", "minmax", "entropy", "mse"}) {
    PassContext plain = context;
    plain.lossy.second_order = false;
    plain.lossy.range = method;
    EDGEC_ASSIGN(const Fidelity held_out, cross_fit(source, plain, request));
    const double found = held_out.sqnr_db();
    context.say("quantize-int8", "", fmt::format("range {}: {:.1f} dB on held-out samples, rounded to nearest", method, found));
    if (!most || found > *most) most = found, best = method;
  }
  return best;
}

/// Samples on which it is decided whether to equalize: more than so much work would only show the same difference.
std::vector<std::size_t> judging_samples(const Graph &graph, const PassContext &context) {
  constexpr double least = 64, most = 1e6, most_macs = 20e9;
  const double macs = std::max(1.0, measure_sizes(graph, context.ops).macs);
  return some_of(context.samples, static_cast<std::size_t>(std::clamp(most_macs / macs, least, most)));
}

/// Equalizes where that gains on held-out halves of some samples; judged by plain rounding and bias correction, whose
/// noise comes from the same ranges and steps. Leaves the source uncalibrated.
Status equalize_where_better(Source &source, const PassContext &context, const Int8Request &request) {
  const bool judged = context.lossy.equalize == Choice::automatic;
  PassContext plain = context;
  plain.note = nullptr;
  plain.samples = judging_samples(source.graph, context);
  plain.lossy.second_order = false;
  if (plain.lossy.range == "auto") plain.lossy.range = "percentile";
  Source before = source;
  EDGEC_CHECK(calibrate_source(before, plain, request));
  EDGEC_ASSIGN(const auto after, equalized(before, plain, request));
  if (!after) return {};
  if (judged) {
    EDGEC_ASSIGN(const Fidelity held_out_without, cross_fit(before, plain, request));
    EDGEC_ASSIGN(const Fidelity held_out_with, cross_fit(*after, plain, request));
    const double without = held_out_without.sqnr_db(), with = held_out_with.sqnr_db();
    const auto text = fmt::format("equalization of {} tensors: {:.1f} dB instead of {:.1f} dB on held-out samples, rounded to nearest",
                                  after->tensors.size(), with, without);
    if (with <= without) {
      context.skip("quantize-int8", "", text);
      return {};
    }
    context.say("quantize-int8", "", text);
  }
  source.graph = after->graph;
  source.original = after->original;
  source.tensors = after->tensors;
  return {};
}

/// Searches the rate at which the codes meet the request's budget.
Status quantize_at_rate(Graph &graph, Source &source, const PassContext &context, const Int8Request &request, Int8Outcome &outcome) {
  std::vector<NodeId> nodes;
  std::size_t weights = 0;
  for (const Int8Layer &layer : source.plan.layers) {
    nodes.push_back(layer.node);
    weights += static_cast<std::size_t>(source.graph.constant(source.graph.node(layer.node).inputs[layer.weights.weight])->size());
  }
  outcome.layers = nodes.size();
  EDGEC_ASSIGN(source.sensitivities, layer_sensitivities(source.original, nodes, context));
  EDGEC_ASSIGN(const double power, answer_power(source.original, context));
  const AtRate at_rate = [&](double rate, std::span<const std::size_t> samples) -> Result<Graph> {
    Graph candidate;
    EDGEC_CHECK(apply(candidate, source, folds_of(samples, context), on_samples(context, samples), request, rate));
    return candidate;
  };
  RateRequest wanted = *request.rate;
  wanted.cross_fit = request.cross_fit;
  const HeldOutJudge judge = [&](const FitHalf &fit) { return judge_held_out(*request.reference, fit, context); };
  EDGEC_ASSIGN(RateOutcome rated, search_rate(at_rate, judge, power, context, wanted, weights));
  graph = std::move(rated.graph);
  outcome.held_out = std::move(rated.held_out);
  outcome.curve = std::move(rated.curve);
  outcome.smallest = rated.smallest;
  outcome.interrupted = rated.interrupted;
  say_curve(context, "quantize-int8", outcome.curve);
  return {};
}

} // namespace

Result<Int8Outcome> quantize_int8(Graph &graph, const PassContext &given, const Int8Request &request) {
  PassContext context = given;
  if (!context.calibration || context.samples.empty())
    return usage_error("int8 quantization needs calibration samples (--calib)");
  EDGEC_ASSIGN(Source source, prepare(graph, context, request));
  const bool judged = request.reference && context.samples.size() >= 2;
  if (!source.tensors.empty() && (judged || context.lossy.equalize == Choice::on))
    EDGEC_CHECK(equalize_where_better(source, context, request));
  EDGEC_CHECK(calibrate_source(source, context, request));
  Int8Outcome outcome;
  outcome.left = source.left;
  if (context.lossy.range == "auto" && judged) {
    EDGEC_ASSIGN(context.lossy.range, best_range(source, context, request));
  }
  if (request.rate && !source.plan.layers.empty()) {
    EDGEC_CHECK(quantize_at_rate(graph, source, context, request, outcome));
    return outcome;
  }
  if (request.cross_fit && judged) {
    EDGEC_ASSIGN(outcome.held_out, cross_fit(source, context, request));
  }
  const int both[] = {0, 1};
  EDGEC_ASSIGN(outcome.layers, apply(graph, source, both, context, request));
  return outcome;
}

namespace passes {
namespace {

Result<bool> run(Graph &graph, const PassContext &context) {
  EDGEC_ASSIGN(const Int8Outcome outcome, quantize_int8(graph, context, {}));
  return outcome.layers > 0;
}

} // namespace

extern const PassDef quantize_int8;
const PassDef quantize_int8{"quantize-int8", "Static int8: weights per channel, activations per tensor, biases corrected",
                            PassKind::lossy, run};

} // namespace passes
} // namespace edgec
