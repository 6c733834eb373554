// Low rank: `--low-rank R`. A convolution without extent (1x1), a Gemm or a MatMul becomes two with fewer weights and
// fewer multiply-accumulates:
//
//   y = Conv(x, W, B)   becomes   t = Conv(x, V)   y = Conv(t, U, B')      U [m, r], V [r, k], r (m + k) <= R m k
//
// U V is the matrix of rank r that keeps most of what the layer gives (compress/low_rank.h), refit on what the layers
// before it give; the bias keeps the means. Without training few layers have so little to say: a layer stays as it is
// unless the answers keep `low_rank_sqnr` decibels on samples that the network was not fitted to.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <numeric>
#include <set>

#include "calibrate/layer_moments.h"
#include "compress/low_rank.h"
#include "schemes/fitting/float_layers.h"
#include "schemes/fitting/held_out.h"
#include "schemes/fitting/options.h"
#include "schemes/fitting/sensitivity.h"
#include "schemes/scheme.h"
#include "support/cancel.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view pass_name = "low-rank";
constexpr std::size_t node_bytes = 128; ///< that one more node and its weight cost in a file, roughly
constexpr int attempts = 4;             ///< sets of layers that are tried

struct LowRankOptions {
  std::optional<double> share; ///< of a layer's weights that its two factors may have
  double sqnr_db = 30;         ///< that the answers keep on held-out samples when layers become two
};

struct Candidate {
  Layer layer;
  std::size_t rank = 0;
  double expected = 0; ///< squared error of the logits over the samples that it would cause by itself

  [[nodiscard]] std::size_t weights() const { return layer.original.data.size(); }
  [[nodiscard]] std::size_t kept() const { return rank * (layer.original.rows + layer.original.columns); }
  [[nodiscard]] double price() const { return expected / static_cast<double>(weights() - kept()); }
};

/// Why a layer is not one product of its inputs with a matrix; empty: it is.
std::string_view obstacle(const Node &node, const Layer &layer) {
  if (layer.weights.groups != 1) return "its weight has groups";
  if (node.is("Conv"))
    return std::any_of(layer.dims.begin() + 2, layer.dims.end(), [](std::int64_t d) { return d != 1; })
               ? "its kernel is larger than 1"
               : "";
  if (layer.dims.size() != 2 || layer.weights.data != 0) return "its weight is not a matrix on the right";
  if (node.is("MatMul")) return "";
  return node.is("Gemm") && node.get_int("transA", 0) == 0 ? "" : "its operator cannot be split";
}

class Splitter {
public:
  Splitter(const Graph &graph, const Job &job) : graph_(graph), job_(job) {}

  Result<std::optional<Graph>> run() {
    find_candidates();
    if (candidates_.empty()) return std::optional<Graph>();
    EDGEC_CHECK(expect_errors());
    std::vector<Layer> layers;
    for (const Candidate &one : candidates_) layers.push_back(one.layer);
    EDGEC_ASSIGN(means_, target_means(graph_, layers, job_));
    EDGEC_CHECK(choose());
    report();
    if (best_.empty()) return std::optional<Graph>();
    EDGEC_ASSIGN(Graph graph, fitted(best_, job_.samples));
    for (const std::size_t i : best_) split(graph, candidates_[i], factors_.at(candidates_[i].layer.node));
    EDGEC_CHECK(graph.sort());
    return std::optional<Graph>(std::move(graph));
  }

private:
  Graph graph_; // its layers normalized
  const Job &job_;
  const LowRankOptions &options_ = job_.options<LowRankOptions>();
  std::vector<Candidate> candidates_; // by ascending price
  Calibration means_;
  std::map<NodeId, Factors> factors_; // of the last fit
  double power_ = 0;                  // of the answers, summed over samples
  std::vector<std::size_t> best_;     // candidates that become two
  double best_sqnr_ = 0;

  void find_candidates() {
    for (Layer &layer : float_layers_in_scope(graph_, job_, pass_name)) {
      const Node &node = graph_.node(layer.node);
      if (const std::string_view why = obstacle(node, layer); !why.empty()) {
        job_.skip(pass_name, node.label(), std::string(why));
        continue;
      }
      const std::size_t rows = layer.original.rows, columns = layer.original.columns;
      const double share = options_.share.value_or(0) * static_cast<double>(rows * columns);
      Candidate candidate{std::move(layer), static_cast<std::size_t>(share / static_cast<double>(rows + columns)), 0};
      if (candidate.rank == 0 || candidate.kept() + node_bytes / sizeof(float) >= candidate.weights())
        job_.skip(pass_name, node.label(), fmt::format("{} x {}: two factors would save nothing", rows, columns));
      else
        candidates_.push_back(std::move(candidate));
    }
  }

  /// What each candidate would cost the answers, by its own error and the layer's sensitivity.
  Status expect_errors() {
    std::vector<NodeId> nodes;
    std::vector<ValueId> stops;
    for (const Candidate &one : candidates_) nodes.push_back(one.layer.node), stops.push_back(one.layer.original_data);
    EDGEC_ASSIGN(const auto sensitivities, layer_sensitivities(graph_, nodes, job_));
    Walk walk(graph_, job_.ops, *job_.calibration, job_.samples, stops,
              {job_.threads, job_.isa, std::make_shared<MemoryBudget>(job_.memory), false});
    for (const ValueId stop : std::vector<ValueId>(walk.stops())) {
      EDGEC_CHECK(walk.advance());
      for (Candidate &one : candidates_)
        if (one.layer.original_data == stop) EDGEC_CHECK(expect_error(walk, sensitivities.at(one.layer.node), one));
      EDGEC_CHECK(check_interrupted());
    }
    std::ranges::stable_sort(candidates_, {}, &Candidate::price);
    return {};
  }

  Status expect_error(const Walk &walk, double sensitivity, Candidate &one) const {
    const Node &node = graph_.node(one.layer.node);
    const ValueId data = one.layer.original_data;
    const Type &type = graph_.value(data).type;
    const LayerInputs inputs{one.layer.node, data, data, type, type, &node, job_.ops.find(node), one.layer.dims};
    auto moments =
        layer_moments(walk, walk, inputs, job_.samples.size(), 1, job_.options<FitOptions>().positions, job_.threads);
    if (!moments) return std::move(moments).error(); // no copy is made of what may be large
    const Covariance seen = covariance(std::move(moments->front().front()), !one.layer.bias.empty());
    const std::vector<double> spectrum = output_spectrum(one.layer.original, seen.h);
    const double lost = std::accumulate(
        spectrum.begin() + static_cast<std::ptrdiff_t>(std::min(one.rank, spectrum.size())), spectrum.end(), 0.0);
    one.expected = sensitivity * lost * static_cast<double>(job_.samples.size());
    return {};
  }

  /// The layers whose errors together stay below `limit`, those that save most for theirs first.
  [[nodiscard]] std::vector<std::size_t> affordable(double limit) const {
    std::vector<std::size_t> taken;
    for (std::size_t i = 0; i < candidates_.size(); ++i)
      if (limit >= candidates_[i].expected) limit -= candidates_[i].expected, taken.push_back(i);
    return taken;
  }

  /// Expected errors are no more than a start: each set of layers is judged on held-out samples, the next one is larger
  /// or smaller by what that left or lacked.
  Status choose() {
    EDGEC_ASSIGN(power_, answer_power(graph_, job_));
    power_ *= static_cast<double>(job_.samples.size());
    const double wanted = options_.sqnr_db;
    double limit = power_ * std::pow(10, -wanted / 10);
    std::set<std::vector<std::size_t>> tried;
    std::size_t best_saving = 0;
    for (int attempt = 0; attempt < attempts; ++attempt) {
      const std::vector<std::size_t> chosen = affordable(limit);
      if (chosen.empty() || !tried.insert(chosen).second) return {};
      const FitHalf fit = [&](std::span<const std::size_t> samples, std::size_t) { return fitted(chosen, samples); };
      EDGEC_ASSIGN(const Fidelity held_out, judge_held_out(graph_, fit, job_));
      const double sqnr = held_out.sqnr_db();
      std::size_t saving = 0;
      double expected = 0;
      for (const std::size_t i : chosen)
        saving += candidates_[i].weights() - candidates_[i].kept(), expected += candidates_[i].expected;
      if (sqnr >= wanted && saving > best_saving) best_ = chosen, best_saving = saving, best_sqnr_ = sqnr;
      limit = std::max(expected, 1e-300) * std::pow(10, (sqnr - wanted) / 10);
    }
    return {};
  }

  /// The network with products of low rank in place of the chosen layers' weights, not yet split.
  Result<Graph> fitted(std::span<const std::size_t> chosen, std::span<const std::size_t> samples) {
    Graph graph = graph_;
    Job job = job_;
    job.samples.assign(samples.begin(), samples.end());
    std::map<NodeId, std::size_t> ranks;
    std::vector<Layer> layers;
    for (const std::size_t i : chosen)
      ranks[candidates_[i].layer.node] = candidates_[i].rank, layers.push_back(candidates_[i].layer);
    LayerSteps steps;
    steps.positions = job.options<FitOptions>().positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) -> Result<Matrix> {
      EDGEC_ASSIGN(const Refit fitted, refit(groups, job.threads));
      Factors factors = factorize(fitted.weights.front(), groups.front().all.h, ranks.at(layer.node));
      Matrix whole = product(factors.out, factors.in);
      store_float_weight(graph, layer, whole);
      factors_[layer.node] = std::move(factors);
      EDGEC_CHECK(check_interrupted());
      return whole;
    };
    const FitTarget target{graph_, means_.merged(folds_of(samples, job_))};
    EDGEC_CHECK(fit_float_layers(graph, pointers_to(layers), target, job, "fitting layers", steps));
    return graph;
  }

  /// The layer's node keeps its name, its bias and what is behind it, and reads a new one before it.
  static void split(Graph &graph, const Candidate &one, const Factors &factors) {
    const NodeId id = one.layer.node;
    const WeightInfo &info = one.layer.weights;
    const ValueId old = graph.node(id).inputs[info.weight];
    const std::string base = graph.value(old).name;
    const auto add_weight = [&](const Matrix &rows, int channel_axis, const char *suffix) {
      Dims dims = one.layer.dims;
      dims[channel_axis == 0 ? 0 : 1] = static_cast<std::int64_t>(rows.rows);
      dims[channel_axis == 0 ? 1 : 0] = static_cast<std::int64_t>(rows.columns);
      WeightInfo layout = info;
      layout.channel_axis = channel_axis;
      const std::vector<float> values(rows.data.begin(), rows.data.end());
      return graph.add_constant(Tensor::of(dims, as_stored(values, dims, layout)), base.empty() ? base : base + suffix);
    };
    Type between = graph.value(graph.node(id).outputs[0]).type;
    if (between.shape) {
      const auto rank = static_cast<int>(between.shape->size());
      const int axis = info.output_axis < 0 ? info.output_axis + rank : info.output_axis;
      (*between.shape)[static_cast<std::size_t>(axis)] = Dim::known(static_cast<std::int64_t>(one.rank));
    }
    const bool conv = graph.node(id).is("Conv");
    Node first{.op = conv ? "Conv" : "MatMul", .origins = graph.node(id).origins};
    if (first.origins.empty()) first.origins = {graph.node(id).label()};
    if (conv) first.attributes = graph.node(id).attributes;
    const ValueId data = graph.node(id).inputs[info.data];
    const ValueId in = add_weight(factors.in, conv ? 0 : 1, "_in");
    first.inputs = {data, in};
    const ValueId middle = graph.add_op(std::move(first), between, id);
    for (const char *moved : {"auto_pad", "dilations", "pads", "strides"}) graph.remove_attribute(id, moved);
    graph.set_input(id, info.weight, add_weight(factors.out, info.channel_axis, "_out"));
    graph.set_input(id, info.data, middle);
    if (graph.use_count(old) == 0) graph.remove(old);
  }

  void report() const {
    const std::set<std::size_t> taken(best_.begin(), best_.end());
    for (std::size_t i = 0; i < candidates_.size(); ++i) {
      const Candidate &one = candidates_[i];
      const std::string label = graph_.node(one.layer.node).label();
      if (taken.contains(i))
        job_.say(pass_name, label,
                 fmt::format("rank {}: {} weights instead of {}", one.rank, one.kept(), one.weights()));
      else
        job_.skip(
            pass_name, label,
            fmt::format(
                "rank {} for {} of {} weights would leave the answers about {:.1f} dB by itself, {:g} are to stay",
                one.rank, one.kept(), one.weights(), 10 * std::log10(power_ / std::max(one.expected, 1e-300)),
                options_.sqnr_db));
    }
    if (!best_.empty())
      job_.say(pass_name, "",
               fmt::format("{} of {} layers became two: {:.1f} dB on held-out samples", best_.size(),
                           candidates_.size(), best_sqnr_));
  }
};

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  if (job.samples.size() < 2) return usage_error("low rank is judged by samples: it needs at least two (--calib)");
  EDGEC_ASSIGN(auto split, Splitter(graph, job).run());
  if (!split) return SchemeOutcome{};
  graph = std::move(*split);
  return SchemeOutcome{.changed = true};
}

void declare(Options &options, Settings &settings) {
  auto &low_rank = settings.edit<LowRankOptions>();
  options.group("Low rank");
  options
      .add("--low-rank", "R", &low_rank.share,
           "split 1x1 Conv, Gemm and MatMul in two with the fraction R of a layer's weights, where the answers keep "
           "--low-rank-sqnr; needs --calib")
      .between(0, 1)
      .in(Unit::fraction)
      .loses()
      .records();
  options
      .add("--low-rank-sqnr", "DB", &low_rank.sqnr_db,
           "decibels over the error that --low-rank leaves on held-out samples")
      .between(0, 200)
      .needs("low-rank")
      .records();
}

bool wanted(const Settings &settings) { return settings.get<LowRankOptions>().share.value_or(0) > 0; }

} // namespace

extern const SchemeDef low_rank;
const SchemeDef low_rank{.name = pass_name,
                         .flag = "--low-rank",
                         .summary = "layers whose outputs have few components become two with fewer weights",
                         .phase = Phase::structure,
                         .place = 30,
                         .needs = Needs::data,
                         .fits = true,
                         .learns = Learns::floats,
                         .meets_size = true,
                         .uncodes = always,
                         .declare = declare,
                         .wanted = wanted,
                         .run = run};

} // namespace edgec::schemes
