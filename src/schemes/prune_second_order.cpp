// Prunes with calibration samples: `--prune R` or `--prune N:M`. Layers in topological order; of each the weights whose
// loss the others can best make up for go (compress/survivors.h), the survivors are fitted anew to the outputs of the
// original network given pruned inputs, and the bias so that the means behind the activation stay. Layers that are not
// pruned (depthwise, the first convolution) are refit to their pruned inputs.
//
// Scope `auto`: zeros go to the layers where the next ones add least to the squared error of the logits: a layer's loss
// after refitting at a few shares, times its sensitivity (schemes/fitting/sensitivity.h). These add up while errors are
// small: where they are not, shares that differ less are tried, too, and what does best on held-out samples is taken.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>
#include <limits>
#include <map>
#include <set>

#include "calibrate/calibrate.h"
#include "compress/magnitude.h"
#include "compress/survivors.h"
#include "schemes/fitting/float_layers.h"
#include "schemes/fitting/held_out.h"
#include "schemes/fitting/options.h"
#include "schemes/fitting/sensitivity.h"
#include "schemes/prune/options.h"
#include "schemes/prune/ratio_check.h"
#include "schemes/scheme.h"
#include "support/cancel.h"
#include "support/number.h"
#include "train/trainer.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "prune-second-order";
constexpr int mask_steps = 8; // in which a mask by second order grows
constexpr std::array curve_shares{0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1.0};
/// Samples and positions of each that say what zeros cost a layer, and samples that say how sensitive it is.
constexpr std::size_t curve_samples = 64, curve_positions = 128, sensitivity_samples = 32;
/// Of a layer's weights so many stay, and one for each output on average: a layer without any says nothing, whatever
/// its losses looked like one at a time.
constexpr double least_share = 0.05;
/// How near to each other the layers' shares of zeros are: 0 where zeros cost least, 1 all alike.
constexpr std::array evennesses{0.0, 0.5, 1.0};
/// Samples that these are fitted to; and what needs no other.
constexpr std::size_t trial_samples = 64;
constexpr double enough_sqnr_db = 20;

struct PrunedLayer : Layer {
  bool pruned = true; // else refit only
  Matrix squares;     // of the answers' gradient, for --prune-mask importance
  double share = 0;   // of zeros
  std::size_t taps = 1;
};

class Pruner {
public:
  Pruner(const Graph &graph, const Job &job) : original_(graph), job_(job) { find_layers(); }

  /// The pruned network; nothing where there is nothing to prune.
  Result<std::optional<Graph>> run() {
    if (std::ranges::none_of(layers_, &PrunedLayer::pruned)) return std::optional<Graph>();
    EDGEC_CHECK(look());
    if (!curves_.empty() && job_.samples.size() >= 2) EDGEC_CHECK(choose_evenness());
    EDGEC_ASSIGN(Graph pruned, prune_at(options_.first_ratio(), job_.samples));
    tell(pruned);
    EDGEC_CHECK(judge(pruned));
    return std::optional(std::move(pruned));
  }

private:
  Graph original_; // its layers in the form in which they are fitted
  const Job &job_;
  const PruneOptions &options_ = job_.options<PruneOptions>();
  std::vector<PrunedLayer> layers_;
  std::vector<LossCurve> curves_; // of scope `auto`, for the pruned layers
  double evenness_ = 0;
  RangeStatistics means_; // of all samples

  void find_layers() {
    std::map<NodeId, std::string> wanted;
    for (const WeightTensor &weight : float_weights(original_, job_, name))
      for (const WeightTensor::Reader &reader : weight.readers)
        wanted[reader.node] = original_.node(reader.node).label();
    for (Layer &layer : float_layers(original_, job_))
      if (wanted.erase(layer.node) > 0) layers_.push_back({std::move(layer)});
    for (const auto &[node, label] : wanted)
      job_.skip(name, label, "its weight or bias is of a form that cannot be fitted");
    for (PrunedLayer &layer : layers_) {
      const Node &node = original_.node(layer.node);
      const bool depthwise = layer.groups() > 1 && layer.group_rows() == 1;
      const bool first = node.op == "Conv" && reads_input(original_, job_.ops, layer.node);
      layer.pruned = !(depthwise || first) || job_.scope.names(node);
      if (!layer.pruned)
        job_.skip(
            name, node.label(),
            fmt::format("{}: pruned only where --include names it", depthwise ? "depthwise" : "the first convolution"));
      for (std::size_t i = 2; i < layer.dims.size(); ++i) layer.taps *= static_cast<std::size_t>(layer.dims[i]);
    }
    std::set<ValueId> spared;
    for (const PrunedLayer &layer : layers_)
      if (!layer.pruned) spared.insert(layer.weight);
    for (PrunedLayer &layer : layers_) layer.pruned = !spared.contains(layer.weight);
  }

  [[nodiscard]] bool is_n_of_m() const { return options_.m > 0; }

  /// What all ratios share: means of the original, and what zeros cost each layer.
  Status look() {
    EDGEC_ASSIGN(means_, means_of(job_.samples));
    if (options_.mask == "importance") EDGEC_CHECK(find_squares());
    return is_n_of_m() || options_.scope != "auto" ? Status() : find_curves();
  }

  /// Channel means of the original behind each layer.
  [[nodiscard]] Result<RangeStatistics> means_of(std::span<const std::size_t> samples) const {
    CalibrationOptions options;
    for (const PrunedLayer &layer : layers_) options.channel_means.push_back(layer.target);
    options.threads = job_.threads;
    options.isa = job_.isa;
    options.progress = layer_progress(job_, "calibrating");
    keep_answers(original_, job_, options);
    EDGEC_ASSIGN(const Calibration means, calibrate(original_, job_.ops, *job_.calibration, samples, options));
    const int both[] = {0, 1};
    return means.merged(both);
  }

  Status find_squares() {
    constexpr std::size_t rounds = 4; // each sample with so many random signs
    std::vector<Parameter> parameters;
    for (const PrunedLayer &layer : layers_)
      parameters.push_back({original_.node(layer.node).inputs[layer.weights.weight]});
    TrainOptions options{.augmentation = {false, false, false},
                         .seed = job_.seed,
                         .threads = job_.threads,
                         .isa = job_.isa,
                         .memory = job_.memory,
                         .progress = layer_progress(job_, "looking at gradients")};
    options.steps = rounds * (job_.samples.size() + options.batch - 1) / options.batch;
    EDGEC_ASSIGN(const auto squares,
                 gradient_squares(original_, parameters, job_.ops, *job_.calibration, job_.samples, options));
    for (std::size_t i = 0; i < layers_.size(); ++i)
      layers_[i].squares = weight_rows(squares[i], layers_[i].weights).value_or(Matrix());
    return {};
  }

  /// The job with at most so many of the samples.
  [[nodiscard]] Job with_samples(std::size_t most) const {
    Job few = job_;
    few.samples = some_of(job_.samples, most);
    return few;
  }

  Status find_curves() {
    std::vector<NodeId> nodes;
    std::vector<Layer *> layers;
    for (PrunedLayer &layer : layers_)
      if (layer.pruned) layers.push_back(&layer), nodes.push_back(layer.node);
    EDGEC_ASSIGN(const auto sensitivities, layer_sensitivities(original_, nodes, with_samples(sensitivity_samples)));
    std::map<NodeId, LossCurve> found;
    LayerSteps steps;
    steps.positions = curve_positions;
    steps.folds = 1;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) -> Result<Matrix> {
      const double least =
          std::max(least_share, 1 / static_cast<double>(std::max<std::size_t>(1, layer.original.columns)));
      EDGEC_ASSIGN(auto losses, loss_curve(groups, curve_shares, job_.threads));
      LossCurve curve{std::move(losses), layer.original.data.size(), 1 - least};
      for (double &loss : curve.losses) loss *= sensitivities.at(layer.node);
      found[layer.node] = std::move(curve);
      return layer.original;
    };
    steps.store_bias = [](Layer &) {};
    steps.progress = layer_progress(job_, "looking at layers");
    Graph unchanged = original_;
    EDGEC_CHECK(compress_layers(unchanged, original_, layers, {}, with_samples(curve_samples), steps));
    for (const NodeId node : nodes) curves_.push_back(std::move(found[node]));
    return {};
  }

  Status choose_evenness() {
    Job unseen = job_;
    unseen.samples = half_of(job_.samples, 1);
    const std::vector<std::size_t> fitted = some_of(half_of(job_.samples, 0), trial_samples);
    double best = -std::numeric_limits<double>::infinity(), chosen = 0;
    for (const double evenness : evennesses) {
      evenness_ = evenness;
      EDGEC_ASSIGN(const Graph pruned, prune_at(options_.first_ratio(), fitted));
      EDGEC_ASSIGN(const Fidelity fidelity, edgec::judge(original_, pruned, unseen));
      if (fidelity.sqnr_db() > best) best = fidelity.sqnr_db(), chosen = evenness;
      if (best >= enough_sqnr_db) break;
    }
    evenness_ = chosen;
    return {};
  }

  /// Each layer's share of zeros, together the ratio.
  void share_out_zeros(double ratio, std::vector<PrunedLayer> &layers) const {
    std::vector<std::vector<float>> sizes;
    for (PrunedLayer &layer : layers) {
      layer.share = layer.pruned ? ratio : 0;
      if (layer.pruned) sizes.emplace_back(layer.original.data.begin(), layer.original.data.end());
    }
    if (is_n_of_m() || options_.scope == "layer") return;
    std::vector<double> shares;
    if (options_.scope == "auto") {
      shares = edgec::share_out(curves_, curve_shares, ratio);
      for (double &share : shares) share += evenness_ * (ratio - share);
    } else {
      prune_magnitude(std::vector<std::span<float>>(sizes.begin(), sizes.end()), ratio);
      for (const auto &values : sizes)
        shares.push_back(static_cast<double>(std::ranges::count(values, 0.0F)) / static_cast<double>(values.size()));
    }
    auto next = shares.begin();
    for (PrunedLayer &layer : layers)
      if (layer.pruned) layer.share = *next++;
    even_out(layers);
  }

  /// Layers that read one weight have its zeros in common.
  static void even_out(std::vector<PrunedLayer> &layers) {
    std::map<ValueId, std::vector<PrunedLayer *>> readers;
    for (PrunedLayer &layer : layers) readers[layer.weight].push_back(&layer);
    for (const auto &[weight, all] : readers) {
      double sum = 0;
      for (const PrunedLayer *layer : all) sum += layer->share;
      for (PrunedLayer *layer : all) layer->share = sum / static_cast<double>(all.size());
    }
  }

  Result<Graph> prune_at(double ratio, std::span<const std::size_t> samples) const {
    RangeStatistics means = means_;
    if (samples.size() < job_.samples.size()) {
      EDGEC_ASSIGN(means, means_of(samples));
    }
    Graph graph = original_;
    Job job = job_;
    job.samples.assign(samples.begin(), samples.end());
    std::vector<PrunedLayer> layers = layers_;
    share_out_zeros(ratio, layers);
    LayerSteps steps;
    steps.positions = job.options<FitOptions>().positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) -> Result<Matrix> {
      EDGEC_ASSIGN(const Matrix fitted, fit(static_cast<PrunedLayer &>(layer), groups));
      store_float_weight(graph, layer, fitted);
      return fitted;
    };
    steps.follow = [&](Layer &layer, const Layer &first) {
      share_float_weight(graph, layer, first);
      return true;
    };
    EDGEC_CHECK(
        fit_float_layers(graph, pointers_to(layers), {original_, std::move(means)}, job, "pruning layers", steps));
    return graph;
  }

  [[nodiscard]] Result<Matrix> fit(const PrunedLayer &layer, std::span<const FitGroup> groups) const {
    EDGEC_ASSIGN(const Refit fitted, layer.pruned ? fit_pruned(layer, groups) : refit(groups, job_.threads));
    Matrix all(layer.original.rows, layer.original.columns);
    auto to = all.data.begin();
    for (const Matrix &part : fitted.weights) to = std::ranges::copy(part.data, to).out;
    return all;
  }

  [[nodiscard]] Result<Refit> fit_pruned(const PrunedLayer &layer, std::span<const FitGroup> groups) const {
    EDGEC_ASSIGN(const auto masks, masks_of(layer, groups));
    return refit_survivors(groups, masks, job_.threads);
  }

  [[nodiscard]] Result<std::vector<Mask>> masks_of(const PrunedLayer &layer, std::span<const FitGroup> groups) const {
    const Sparsity sparsity{layer.share, options_.n, options_.m, layer.taps};
    if (options_.mask == "second-order") return second_order_masks(groups, sparsity, mask_steps, job_.threads);
    std::vector<Matrix> worth;
    std::size_t first = 0; // of the group's numbers in the layer
    for (const FitGroup &group : groups) {
      worth.push_back(group.weights);
      std::vector<double> &numbers = worth.back().data;
      for (double &x : numbers) x *= x;
      if (options_.mask == "importance")
        for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] *= layer.squares.data[first + i];
      first += numbers.size();
    }
    return choose_masks(worth, sparsity);
  }

  void tell(const Graph &pruned) const {
    Zeros prunable, all;
    for (const PrunedLayer &layer : layers_) {
      if (!layer.pruned) continue;
      const Zeros own = zeros_of(pruned, pruned.node(layer.node).inputs[layer.weights.weight]);
      job_.say(name, pruned.node(layer.node).label(), zeros_text(own.zeros, own.count));
      prunable.add(own);
    }
    for (const WeightTensor &weight : float_weights(pruned, Job{{.ops = job_.ops}}, name))
      all.add(zeros_of(pruned, weight.value));
    job_.say(name, "",
             fmt::format("{:.1f} % of the prunable weights are zero, {:.1f} % of the network's", prunable.percent(),
                         all.percent()));
  }

  struct Zeros {
    std::size_t zeros = 0, count = 0;
    void add(const Zeros &other) { zeros += other.zeros, count += other.count; }
    [[nodiscard]] double percent() const {
      return 100.0 * static_cast<double>(zeros) / static_cast<double>(std::max<std::size_t>(1, count));
    }
  };
  static Zeros zeros_of(const Graph &graph, ValueId weight) {
    const std::vector<float> values = to_floats(*graph.constant(weight));
    return {static_cast<std::size_t>(std::ranges::count(values, 0.0F)), values.size()};
  }

  Status judge(const Graph &pruned) const {
    if (options_.gradual()) return {}; // there are zeros to come
    const std::string asked =
        is_n_of_m() ? fmt::format("{}:{}", options_.n, options_.m) : fmt::format("{:g}", options_.ratio);
    const PrunedAt pruned_at = [&](double ratio, std::span<const std::size_t> samples) {
      return prune_at(ratio, samples);
    };
    return judge_pruning(original_, pruned, pruned_at, {name, asked, options_.ratio, !is_n_of_m()}, job_);
  }
};

/// Whether a node reads other numbers than before. Where no weight is one too many (2 of 4 along an axis of one), none
/// does.
bool reads_others(const Graph &before, const Graph &after) {
  return std::ranges::any_of(after.nodes(), [&](NodeId id) {
    const auto &was = before.node(id).inputs, &is = after.node(id).inputs;
    return !std::ranges::equal(was, is, [&](ValueId a, ValueId b) {
      const Tensor *old = a.valid() ? before.constant(a) : nullptr, *now = b.valid() ? after.constant(b) : nullptr;
      return old != nullptr && now != nullptr ? identical(*old, *now) : old == now;
    });
  });
}

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  EDGEC_ASSIGN(auto pruned, Pruner(graph, job).run());
  const bool changed = pruned && reads_others(graph, *pruned);
  if (changed) graph = std::move(*pruned);
  return SchemeOutcome{.changed = changed};
}

/// "0.5" or "2:4".
Status parse(PruneOptions &options) {
  const std::string text = options.asked;
  if (const auto colon = text.find(':'); colon != std::string::npos) {
    const auto n = parse_number<int>(text.substr(0, colon)), m = parse_number<int>(text.substr(colon + 1));
    if (!n || !m || *n < 1 || *m <= *n || *m > 64)
      return usage_error(fmt::format("--prune: {} is not N:M with 1 <= N < M <= 64", text));
    options.n = *n;
    options.m = *m;
    options.ratio = 1 - static_cast<double>(*n) / *m;
    return {};
  }
  const auto ratio = parse_fraction(text);
  if (!ratio || !(*ratio >= 0 && *ratio <= 1))
    return usage_error(fmt::format("--prune: {} is not a fraction in [0 - 1], as 0.5 or 50%, nor N:M", text));
  options.ratio = *ratio;
  options.asked = fmt::format("{}", *ratio);
  return {};
}

void declare(Options &options, Settings &settings) {
  auto &prune = settings.edit<PruneOptions>();
  const auto &fit = settings.edit<FitOptions>();
  options.group("Pruning");
  options
      .add("--prune", "R|N:M", &prune.asked,
           "set the fraction R (0.5 or 50%) of the prunable weights to zero, or all but N of every M neighbours; the "
           "others are fitted to make up for them")
      .is_common()
      .loses()
      .records()
      .finally([&prune] { return parse(prune); });
  options
      .add("--prune-scope", "SCOPE", &prune.scope,
           "auto: by what each layer means to the answers; global: one magnitude for all layers; layer: the same share "
           "of each layer")
      .one_of({"auto", "global", "layer"})
      .needs("without --prune R", [&prune] { return !prune.asked.empty() && prune.m == 0; })
      .records([&] { return prune.scope == "auto" && !fit.second_order ? std::string("global") : prune.scope; });
  options
      .add("--prune-mask", "WHICH", &prune.mask,
           "which weights of a layer go: second-order: those that the others can make up for; importance: those that "
           "mean least to the answers, by their gradients; magnitude: the smallest")
      .one_of({"second-order", "importance", "magnitude"})
      .needs("prune")
      .needs("effort!=fast")
      .records();
  options
      .add("--prune-schedule", "WHEN", &prune.schedule,
           "one-shot: all zeros before training; gradual: the last of them while --tune trains, by their importance")
      .one_of({"one-shot", "gradual"})
      .needs("without --prune R", [&prune] { return !prune.asked.empty() && prune.m == 0; })
      .needs("tune")
      .needs("effort!=fast")
      .records();
}

bool wanted(const Settings &settings) {
  return settings.get<PruneOptions>().wanted() && settings.get<FitOptions>().second_order;
}

std::vector<SchemeStep> steps(const Job &) {
  return {{"calibrating", 2}, {"looking at layers", 5}, {"pruning layers", 8}};
}

} // namespace

extern const SchemeDef prune_second_order;
const SchemeDef prune_second_order{.name = name,
                                   .flag = "--prune",
                                   .summary = "weights that others can make up for become zero, the rest is refit",
                                   .place = 0,
                                   .needs = Needs::samples,
                                   .fits = true,
                                   .learns = Learns::floats,
                                   .only_flat = zeros_take_place,
                                   .meets_size = true,
                                   .uncodes = always,
                                   .declare = declare,
                                   .wanted = wanted,
                                   .steps = steps,
                                   .run = run};

} // namespace edgec::schemes
