// Rate-distortion rounding: `--rate L`, `--max-size BYTES`, `--max-drop P`. Each weight becomes an 8-bit code, chosen by
// what its bits cost in the file and what its error costs the network's outputs:
//
//   y = Conv(x, W, B)   becomes   w = DequantizeLinear(int8 codes, scales)   y = Conv(x, w, B')
//
// One number rules the whole file: the squared error of the logits that a bit may cost. A layer's share of it follows
// from its sensitivity. An .onnx file stores a byte a code; .edgec codes them by their entropy.
#include "passes/rate/round_weights.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "compress/rate_distortion.h"
#include "passes/float_layers.h"
#include "calibrate/calibrate.h"
#include "passes/held_out.h"
#include "passes/sensitivity.h"

namespace edgec {
namespace {

constexpr std::string_view pass_name = "round-weights";
constexpr double refit_damping = 0.05; // of H's mean diagonal

/// Columns of a row that belong to one input channel.
std::size_t taps_of(const Dims &dims, const WeightInfo &info) {
  std::size_t taps = 1;
  for (std::size_t i = 2; i < dims.size() && info.channel_axis == 0; ++i) taps *= static_cast<std::size_t>(dims[i]);
  return std::max<std::size_t>(taps, 1);
}

/// A float with `kept` bits of mantissa: the file codes those only.
float shortened(double value, int kept) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);
  return static_cast<float>(std::ldexp(std::nearbyint(std::ldexp(fraction, kept + 1)), exponent - kept - 1));
}

/// Bits of mantissa with which rounding the biases adds a small share to the error that the codes leave.
int bias_mantissa(const Layer &layer, double error) {
  constexpr double share = 0.02;
  constexpr int least = 3, most = 10;
  double power = 0;
  for (const double b : layer.bias) power += b * b;
  // Rounding to m bits leaves at most b^2 4^-(m+1), a third of that on average.
  const double bits = 0.5 * std::log2(std::max(power, 1e-300) / (12 * share * std::max(error, 1e-300)));
  return std::clamp(static_cast<int>(std::ceil(bits)), least, most);
}

/// Bits of mantissa with which floats leave as much error as the steps of the rate would; nothing where codes of 8 bits, with
/// the steps that those need, are the better bargain: a bit is worth lambda of error, and codes leave c / 12 of that a
/// weight, more in proportion to their squared steps. Floats are rounded to nearest, no error is carried on.
std::optional<int> float_mantissa(std::span<const RateGroup> groups, const RatedCodes &rated, const RateOptions &options) {
  constexpr double sign_and_exponent = 4;
  constexpr int most = 16;
  double power = 0; // that the spacing of floats without a mantissa has at the outputs
  std::size_t count = 0;
  for (const RateGroup &group : groups) {
    double own = 0;
    for (const double w : group.weights.data)
      if (w != 0) own += std::exp2(2.0 * std::ilogb(w));
    power += own * mean_diagonal(group.h);
    count += group.weights.data.size();
  }
  const double asked = options.step_constant * options.lambda * static_cast<double>(count);
  if (!(power > 0) || !(asked > 0)) return std::nullopt;
  const int kept = std::clamp(static_cast<int>(std::ceil(0.5 * std::log2(power / asked))), 1, most);
  const double more_bits = kept + sign_and_exponent - rated.bits / static_cast<double>(count);
  return options.step_constant / 12 * (rated.excess - 1) > more_bits ? std::optional(kept) : std::nullopt;
}

void store_bias(Graph &graph, const Layer &layer, double error) {
  std::vector<float> values(layer.bias.size());
  const int kept = bias_mantissa(layer, error);
  std::ranges::transform(layer.bias, values.begin(), [&](double b) { return shortened(b, kept); });
  const ValueId old = graph.node(layer.node).input(*layer.weights.bias);
  const std::string label = old.valid() ? graph.value(old).name : std::string();
  const Dims dims{static_cast<std::int64_t>(values.size())};
  graph.set_input(layer.node, *layer.weights.bias, graph.add_constant(Tensor::of(dims, std::move(values)), label));
}

/// The weight as codes and a DequantizeLinear.
void store_codes(Graph &graph, const Layer &layer, RatedLayer rated) {
  const ValueId old = graph.node(layer.node).inputs[layer.weights.weight];
  const std::string label = graph.value(old).name;
  const int axis = layer.weights.channel_axis;
  Quant quant{rated.scales, std::vector<std::int32_t>(rated.scales.size(), 0), axis, 0};
  const Dims scale_dims{static_cast<std::int64_t>(rated.scales.size())};
  Node node;
  node.op = "DequantizeLinear";
  const auto codes = Tensor::of(layer.dims, as_stored(std::move(rated.codes), layer.dims, layer.weights));
  node.inputs = {graph.add_constant(codes, label.empty() ? label : label + "_codes", std::move(quant)),
                 graph.add_constant(Tensor::of(scale_dims, std::move(rated.scales)))};
  if (axis != 1) node.attributes.push_back({"axis", std::int64_t{axis}});
  const ValueId reals = graph.add_op(std::move(node), Type::tensor(DType::float32, layer.dims), layer.node);
  graph.set_input(layer.node, layer.weights.weight, reals);
}

class WeightRounder {
public:
  WeightRounder(const Graph &graph, const Graph &reference, const PassContext &context)
      : graph_(graph), original_(context.original ? *context.original : graph), reference_(reference), context_(context),
        layers_(float_layers_in_scope(graph_, context, pass_name)) {}

  Result<RateOutcome> run(const RateRequest &request) {
    std::vector<NodeId> nodes;
    std::size_t weights = 0;
    for (const Layer &layer : layers_) {
      nodes.push_back(layer.node);
      weights += layer.original.data.size();
    }
    if (layers_.empty()) return RateOutcome{.graph = graph_};
    EDGEC_ASSIGN(sensitivities_, layer_sensitivities(original_, nodes, context_));
    EDGEC_ASSIGN(const double power, answer_power(original_, context_));
    EDGEC_ASSIGN(means_, target_means(original_, layers_, context_));
    const AtRate at_rate = [&](double rate, std::span<const std::size_t> samples) { return round_at(rate, samples); };
    const HeldOutJudge judge = [&](const FitHalf &fit) { return judge_held_out(reference_, fit, context_); };
    EDGEC_ASSIGN(RateOutcome outcome, search_rate(at_rate, judge, power, context_, request, weights));
    report(outcome);
    return outcome;
  }

private:
  Graph graph_; // with what float_layers_in_scope makes of it
  const Graph &original_;
  const Graph &reference_;
  const PassContext &context_;
  std::vector<Layer> layers_;
  Sensitivities sensitivities_;
  Calibration means_; // of the original
  /// Bits of each layer's codes, by the rate of the networks that were fitted to all samples.
  std::map<double, std::map<NodeId, double>> bits_;

  Result<Graph> round_at(double rate, std::span<const std::size_t> samples) {
    Graph graph = graph_;
    const PassContext context = on_samples(context_, samples);
    std::vector<Layer> layers = layers_;
    std::vector<Layer *> all;
    for (Layer &layer : layers) all.push_back(&layer);
    std::map<NodeId, double> errors;
    LayerSteps steps;
    steps.folds = 1;
    steps.positions = context.lossy.positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) -> Result<Matrix> {
      RatedLayer rated = fit_rate(layer, groups, rate, sensitivities_, {}, context.threads);
      if (samples.size() == context_.samples.size()) bits_[rate][layer.node] = rated.bits;
      errors[layer.node] = rated.error;
      Matrix reals = rated.reals;
      if (rated.as_floats) store_float_weight(graph, layer, reals);
      else store_codes(graph, layer, std::move(rated));
      return reals;
    };
    steps.store_bias = [&](Layer &layer) { store_bias(graph, layer, errors[layer.node]); };
    steps.progress = layer_progress(context, "fitting layers");
    EDGEC_CHECK(compress_layers(graph, original_, all, means_.merged(folds_of(samples, context_)), context, steps));
    graph.remove_dead();
    EDGEC_CHECK(graph.sort());
    return graph;
  }

  void report(const RateOutcome &outcome) const {
    const auto chosen = bits_.find(outcome.rate);
    if (chosen == bits_.end()) return;
    for (const Layer &layer : layers_)
      if (const auto found = chosen->second.find(layer.node); found != chosen->second.end())
        context_.say(pass_name, graph_.node(layer.node).label(),
                     fmt::format("{} weights, about {:.2f} bits each", layer.original.data.size(),
                                 found->second / static_cast<double>(layer.original.data.size())));
    say_curve(context_, pass_name, outcome.curve);
  }
};

} // namespace

RatedLayer fit_rate(const Layer &layer, std::span<const FitGroup> groups, double rate, const Sensitivities &sensitivities,
                    std::vector<float> least_scales, int threads, int levels) {
  std::vector<RateGroup> rate_groups;
  for (const FitGroup &group : groups) rate_groups.push_back({refit(group.weights, group.all, refit_damping), group.all.h});
  // A layer that does not move the logits is rounded as if it did a little: samples may be too few to see it.
  double least = 0;
  for (const auto &[node, sensitivity] : sensitivities)
    if (sensitivity > 0) least = least > 0 ? std::min(least, sensitivity) : sensitivity;
  const auto found = sensitivities.find(layer.node);
  const double sensitivity = found == sensitivities.end() || found->second <= 0 ? std::max(least, 1e-12) : found->second;
  const bool integer = !least_scales.empty();
  const RateOptions options{.lambda = rate / sensitivity, .taps = taps_of(layer.dims, layer.weights), .threads = threads, .least_scales = std::move(least_scales), .levels = levels};
  RatedCodes rated = round_for_rate(rate_groups, options);
  Matrix reals(layer.original.rows, layer.original.columns);
  for (std::size_t i = 0; i < reals.data.size(); ++i)
    reals.data[i] = static_cast<double>(rated.scales[i / reals.columns]) * rated.codes[i];
  const auto kept = integer ? std::nullopt : float_mantissa(rate_groups, rated, options);
  if (kept) {
    const std::size_t size = layer.group_rows() * reals.columns;
    for (std::size_t i = 0; i < reals.data.size(); ++i) reals.data[i] = shortened(rate_groups[i / size].weights.data[i % size], *kept);
    rated.bits = (*kept + 4.0) * static_cast<double>(reals.data.size());
  }
  double error = 0;
  const std::size_t group_size = layer.group_rows() * reals.columns;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    Matrix difference = rate_groups[g].weights;
    for (std::size_t i = 0; i < difference.data.size(); ++i) difference.data[i] -= reals.data[g * group_size + i];
    error += inner_product(difference, product(difference, groups[g].all.h));
  }
  return {kept.has_value(), std::move(rated.codes), std::move(rated.scales), std::move(reals), rated.bits, error};
}

Result<RateOutcome> round_weights(const Graph &graph, const Graph &reference, const PassContext &context,
                                  const RateRequest &request) {
  if (!context.calibration || context.samples.empty())
    return usage_error("rounding weights for a budget needs calibration samples (--calib)");
  return WeightRounder(graph, reference, context).run(request);
}

namespace passes {
namespace {

Result<bool> run(Graph &graph, const PassContext &context) {
  if (context.lossy.rate <= 0) return false;
  RateRequest request;
  request.rate = context.lossy.rate;
  request.cross_fit = false;
  EDGEC_ASSIGN(RateOutcome outcome, edgec::round_weights(graph, graph, context, request));
  graph = std::move(outcome.graph);
  return true;
}

} // namespace

extern const PassDef round_weights;
const PassDef round_weights{"round-weights", "weights as codes of the least size at a given loss", PassKind::lossy, run};

} // namespace passes
} // namespace edgec
