// Rate-distortion rounding: `--rate L`, `--max-size BYTES`, `--max-drop P`. Each weight becomes an 8-bit code, chosen
// by what its bits cost in the file and what its error costs the network's outputs:
//
//   y = Conv(x, W, B)   becomes   w = DequantizeLinear(int8 codes, scales)   y = Conv(x, w, B')
//
// One number rules the whole file: the squared error of the logits that a bit may cost. A layer's share of it follows
// from its sensitivity. An .onnx file stores a byte a code; .edgec codes them by their entropy.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "schemes/fitting/float_layers.h"
#include "schemes/fitting/held_out.h"
#include "schemes/fitting/options.h"
#include "schemes/fitting/sensitivity.h"
#include "schemes/int8/options.h"
#include "schemes/rate/fit_rate.h"
#include "schemes/rate/rate_search.h"
#include "schemes/scheme.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view pass_name = "round-weights";
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

void store_bias(Graph &graph, const Layer &layer, double error) {
  std::vector<float> values(layer.bias.size());
  const int kept = bias_mantissa(layer, error);
  std::ranges::transform(layer.bias, values.begin(), [&](double b) { return with_mantissa(b, kept); });
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
  WeightRounder(const Graph &graph, const Job &job)
      : graph_(graph), original_(job.original ? *job.original : graph),
        reference_(job.reference ? *job.reference : graph), job_(job),
        layers_(float_layers_in_scope(graph_, job, pass_name)) {}

  Result<RateOutcome> run() {
    std::vector<NodeId> nodes;
    std::size_t weights = 0;
    for (const Layer &layer : layers_) {
      nodes.push_back(layer.node);
      weights += layer.original.data.size();
    }
    EDGEC_ASSIGN(sensitivities_, layer_sensitivities(original_, nodes, job_));
    EDGEC_ASSIGN(const double power, answer_power(original_, job_));
    EDGEC_ASSIGN(means_, target_means(original_, layers_, job_));
    const AtRate at_rate = [&](double rate, std::span<const std::size_t> samples) { return round_at(rate, samples); };
    const HeldOutJudge judge = [&](const FitHalf &fit) { return judge_held_out(reference_, fit, job_); };
    EDGEC_ASSIGN(RateOutcome outcome, search_rate(at_rate, judge, power, job_, weights));
    report(outcome);
    return outcome;
  }

  /// Whether there is any weight to round.
  [[nodiscard]] bool has_layers() const { return !layers_.empty(); }

private:
  Graph graph_; // with what float_layers_in_scope makes of it
  const Graph &original_;
  const Graph &reference_;
  const Job &job_;
  std::vector<Layer> layers_;
  Sensitivities sensitivities_;
  Calibration means_; // of the original
  /// Bits of each layer's codes, by the rate of the networks that were fitted to all samples.
  std::map<double, std::map<NodeId, double>> bits_;

  Result<Graph> round_at(double rate, std::span<const std::size_t> samples) {
    Graph graph = graph_;
    const Job job = on_samples(job_, samples);
    std::vector<Layer> layers = layers_;
    std::map<NodeId, double> errors;
    LayerSteps steps;
    steps.folds = 1;
    steps.positions = job.options<FitOptions>().positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) -> Result<Matrix> {
      EDGEC_ASSIGN(RatedLayer rated, fit_rate(layer, groups, rate, sensitivities_, {}, job.threads));
      if (samples.size() == job_.samples.size()) bits_[rate][layer.node] = rated.bits;
      errors[layer.node] = rated.error;
      Matrix reals = rated.reals;
      if (rated.as_floats)
        store_float_weight(graph, layer, reals);
      else
        store_codes(graph, layer, std::move(rated));
      return reals;
    };
    steps.store_bias = [&](Layer &layer) { store_bias(graph, layer, errors[layer.node]); };
    steps.progress = layer_progress(job, "fitting layers");
    EDGEC_CHECK(
        compress_layers(graph, original_, pointers_to(layers), means_.merged(folds_of(samples, job_)), job, steps));
    graph.remove_dead();
    EDGEC_CHECK(graph.sort());
    return graph;
  }

  void report(const RateOutcome &outcome) const {
    const auto chosen = bits_.find(outcome.rate);
    if (chosen == bits_.end()) return;
    for (const Layer &layer : layers_)
      if (const auto found = chosen->second.find(layer.node); found != chosen->second.end())
        job_.say(pass_name, graph_.node(layer.node).label(),
                 fmt::format("{} weights, about {:.2f} bits each", layer.original.data.size(),
                             found->second / static_cast<double>(layer.original.data.size())));
    say_curve(job_, pass_name, outcome.curve);
  }
};

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  WeightRounder rounder(graph, job);
  if (!rounder.has_layers()) return SchemeOutcome{};
  EDGEC_ASSIGN(RateOutcome rated, rounder.run());
  graph = std::move(rated.graph);
  return SchemeOutcome{.changed = true,
                       .held_out = std::move(rated.held_out),
                       .curve = std::move(rated.curve),
                       .smallest = rated.smallest,
                       .interrupted = rated.interrupted};
}

void declare(Options &options, Settings &settings) {
  auto &rate = settings.edit<RateOptions>();
  const auto searched = [&settings, &rate] { return rounds_weights(settings) && !rate.rate; };
  options.group("Rate and budgets (missed: written all the same, status 1)");
  options
      .add(
          "--rate", "L", &rate.rate,
          "rate-distortion trade-off: squared error of the logits accepted per bit saved (.edgec: without inner names)")
      .between(0, 1e30)
      .loses()
      .records();
  options.add("--max-size", "SIZE", &rate.max_size, "of the file")
      .is_common()
      .between(1, 1e15)
      .in(Unit::bytes)
      .loses()
      .records(
          [searched, &rate] { return searched() && rate.max_size ? fmt::to_string(*rate.max_size) : std::string(); });
  options
      .add("--max-drop", "P", &rate.max_drop,
           "points of top-1 (--metric: of that) that may be lost on the samples of --eval; without labels or "
           "metric, of agreement")
      .is_common()
      .between(0, 100)
      .in(Unit::points)
      .loses()
      .records([searched, &rate] {
        return searched() && rate.max_drop && !rate.max_size ? fmt::format("{}", *rate.max_drop) : std::string();
      });
  options
      .add("--max-latency", "TIME", &rate.max_latency,
           "of one run on one thread of this machine, by edgec's own runtime: --int8, then --prune-channels, each as "
           "far as needed; what was chosen is said and recorded, so that the file can be made again elsewhere")
      .between(1e-6, 1e9)
      .in(Unit::milliseconds)
      .loses();
  options.add("--min-agreement", "X", &rate.min_agreement, "share of samples on which the answer must stay the same")
      .between(0, 1)
      .in(Unit::fraction);
}

bool wanted(const Settings &settings) { return rounds_weights(settings) && !settings.get<Int8Options>().wanted(); }

std::vector<SchemeStep> steps(const Job &) { return {{"searching the rate", 60}}; }

} // namespace

extern const SchemeDef round_weights;
const SchemeDef round_weights{
    .name = pass_name,
    .flag = "--rate",
    .summary = "weights as codes of the least size at a given loss",
    .phase = Phase::numbers,
    .place = 90,
    .needs = Needs::samples,
    .fits = true,
    .uncodes = always,
    .declare = declare,
    .wanted = wanted,
    .least_opset = [](const Settings &, bool) { return std::int64_t{13}; }, // scales per channel
    .steps = steps,
    .run = run};

} // namespace edgec::schemes
