// Second-order pruning: `--prune R` and `--prune N:M` with calibration samples. The weights whose removal costs the
// answers least go (`auto`: saliency times the layer's sensitivity, one threshold for the network; `global` and `layer`:
// by magnitude), the others are fitted to the original's outputs on what the pruned layers before give, and biases keep
// the means behind the activations. The first layer and depthwise ones are few and sensitive: they stay unless --include
// names them.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "calibrate/layer_moments.h"
#include "compress/survivors.h"
#include "measure/logits.h"
#include "passes/layerwise.h"
#include "passes/sensitivity.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass_name = "prune-second-order";
constexpr double refit_damping = 0.03; // of H's mean diagonal

class Pruner {
public:
  Pruner(Graph &graph, const PassContext &context) : graph_(graph), original_(graph), context_(context) {}

  Result<bool> run() {
    layers_ = float_layers(original_, context_, pass_name);
    std::erase_if(layers_, [&](const Layer &layer) { return is_spared(layer); });
    if (layers_.empty()) return false;
    EDGEC_CHECK(choose());
    CalibrationOptions options;
    for (const Layer &layer : layers_) options.channel_means.push_back(layer.target);
    options.threads = context_.threads;
    options.isa = context_.isa;
    EDGEC_ASSIGN(const Calibration means, calibrate(original_, context_.ops, *context_.calibration, context_.samples, options));
    LayerSteps steps;
    steps.folds = 1;
    steps.positions = context_.lossy.positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) { return fit(layer, groups); };
    steps.store_bias = [&](Layer &layer) { store_bias(layer); };
    std::vector<Layer *> all;
    for (Layer &layer : layers_) all.push_back(&layer);
    const int both[] = {0, 1};
    EDGEC_CHECK(compress_layers(graph_, original_, all, means.merged(both), context_, steps));
    report();
    return true;
  }

private:
  Graph &graph_;
  const Graph original_;
  const PassContext &context_;
  std::vector<Layer> layers_;
  std::map<NodeId, double> ratios_; // of `auto`: each layer's share
  std::map<NodeId, Mask> masks_;    // of the others
  std::size_t zeros_ = 0, weights_ = 0;

  [[nodiscard]] bool is_spared(const Layer &layer) const {
    const Node &node = original_.node(layer.node);
    const auto &named = context_.lossy.include_depthwise;
    const auto listed = [&](const std::string &name) { return std::ranges::find(named, name) != named.end(); };
    if (listed(node.label()) || std::ranges::any_of(node.origins, listed)) return false;
    const bool first = original_.is_input(layer.original_data), depthwise = layer.groups() > 1 && layer.group_rows() == 1;
    if (first || depthwise)
      context_.skip(pass_name, node.label(), fmt::format("{}: pruned only where --include names it", first ? "the first layer" : "depthwise"));
    return first || depthwise;
  }

  [[nodiscard]] bool is_n_of_m() const { return context_.lossy.prune_m > 0; }

  Status choose() {
    if (is_n_of_m()) return {};
    if (context_.lossy.prune_scope == "auto") return choose_ratios();
    std::vector<float> magnitudes;
    for (const Layer &layer : layers_)
      for (const double w : layer.original.data) magnitudes.push_back(static_cast<float>(std::abs(w)));
    const Mask global = keep_largest(magnitudes, context_.lossy.prune_ratio);
    std::size_t first = 0;
    for (const Layer &layer : layers_) {
      const std::size_t count = layer.original.data.size();
      const std::span own = std::span(magnitudes).subspan(first, count);
      const auto begin = global.begin() + static_cast<std::ptrdiff_t>(first);
      masks_[layer.node] = context_.lossy.prune_scope == "layer" ? keep_largest(own, context_.lossy.prune_ratio)
                                                                  : Mask(begin, begin + static_cast<std::ptrdiff_t>(count));
      first += count;
    }
    return {};
  }

  /// One threshold on saliency times sensitivity, in the original network; what falls below it is the layer's share.
  Status choose_ratios() {
    std::vector<NodeId> nodes;
    std::vector<ValueId> stops;
    for (const Layer &layer : layers_) nodes.push_back(layer.node), stops.push_back(layer.original_data);
    EDGEC_ASSIGN(const auto sensitivities, layer_sensitivities(original_, nodes, find_logits, context_));
    Walk walk(original_, context_.ops, *context_.calibration, context_.samples, stops,
              {context_.threads, context_.isa, std::make_shared<MemoryBudget>(context_.memory), false});
    std::map<NodeId, std::vector<float>> saliencies;
    for (const ValueId stop : std::vector<ValueId>(walk.stops())) {
      EDGEC_CHECK(walk.advance());
      for (const Layer &layer : layers_)
        if (layer.original_data == stop) EDGEC_CHECK(add_saliency(walk, layer, sensitivities.at(layer.node), saliencies[layer.node]));
    }
    std::vector<float> all;
    for (const Layer &layer : layers_) all.insert(all.end(), saliencies[layer.node].begin(), saliencies[layer.node].end());
    const Mask keep = keep_largest(all, context_.lossy.prune_ratio);
    std::size_t first = 0;
    for (const Layer &layer : layers_) {
      const std::size_t count = saliencies[layer.node].size();
      const auto begin = keep.begin() + static_cast<std::ptrdiff_t>(first);
      const auto gone = std::count(begin, begin + static_cast<std::ptrdiff_t>(count), 0);
      ratios_[layer.node] = (static_cast<double>(gone) + 0.5) / static_cast<double>(std::max<std::size_t>(count, 1));
      first += count;
    }
    return {};
  }

  Status add_saliency(const Walk &walk, const Layer &layer, double sensitivity, std::vector<float> &into) const {
    const Node &node = original_.node(layer.node);
    const Type &type = original_.value(layer.original_data).type;
    const LayerInputs inputs{layer.node, layer.original_data, layer.original_data, type, type, &node, context_.ops.find(node), layer.dims};
    const auto moments = layer_moments(walk, walk, inputs, context_.samples.size(), 1, context_.lossy.positions, context_.threads);
    EDGEC_CHECK(moments);
    for (std::size_t g = 0; g < moments->size(); ++g) {
      const Covariance seen = covariance((*moments)[g], !layer.bias.empty());
      for (const float s : pruning_saliency(group_rows(layer, g), seen.h)) into.push_back(s * static_cast<float>(sensitivity));
    }
    return {};
  }

  static Matrix group_rows(const Layer &layer, std::size_t group) {
    Matrix rows(layer.group_rows(), layer.original.columns);
    std::copy_n(layer.original.data.begin() + static_cast<std::ptrdiff_t>(group * rows.data.size()), rows.data.size(), rows.data.begin());
    return rows;
  }

  [[nodiscard]] std::size_t taps_of(const Layer &layer) const {
    std::size_t taps = 1;
    for (std::size_t i = 2; i < layer.dims.size(); ++i) taps *= static_cast<std::size_t>(layer.dims[i]);
    return taps;
  }

  /// The layer's mask: chosen before, or from the saliencies on what it reads now.
  [[nodiscard]] Mask mask_of(const Layer &layer, std::span<const FitGroup> groups) const {
    if (const auto known = masks_.find(layer.node); known != masks_.end()) return known->second;
    std::vector<float> saliency;
    for (const FitGroup &group : groups) {
      const Matrix fitted = refit(group.weights, group.all, refit_damping);
      const auto found = pruning_saliency(fitted, group.all.h);
      saliency.insert(saliency.end(), found.begin(), found.end());
    }
    if (is_n_of_m())
      return keep_n_of_m(saliency, layer.original.columns, taps_of(layer), context_.lossy.prune_n, context_.lossy.prune_m);
    return keep_largest(saliency, ratios_.at(layer.node));
  }

  Result<Matrix> fit(Layer &layer, std::span<const FitGroup> groups) {
    const Mask keep = mask_of(layer, groups);
    Matrix all(layer.original.rows, layer.original.columns);
    const std::size_t size = layer.group_rows() * all.columns;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const auto begin = keep.begin() + static_cast<std::ptrdiff_t>(g * size);
      const Mask own(begin, begin + static_cast<std::ptrdiff_t>(size));
      const Matrix fitted = refit_survivors(groups[g].weights, own, groups[g].all, refit_damping, context_.threads);
      std::ranges::copy(fitted.data, all.data.begin() + static_cast<std::ptrdiff_t>(g * size));
    }
    std::vector<float> values(all.data.begin(), all.data.end());
    for (std::size_t i = 0; i < values.size(); ++i) all.data[i] = static_cast<double>(values[i]);
    zeros_ += static_cast<std::size_t>(std::ranges::count(values, 0.0F));
    weights_ += values.size();
    const ValueId old = graph_.node(layer.node).inputs[layer.weights.weight];
    const std::string name = graph_.value(old).name;
    const Tensor pruned = Tensor::of(layer.dims, as_stored(std::move(values), layer.dims, layer.weights));
    graph_.set_input(layer.node, layer.weights.weight, graph_.add_constant(pruned, name));
    return all;
  }

  void store_bias(const Layer &layer) {
    const ValueId old = graph_.node(layer.node).input(*layer.weights.bias);
    const std::string name = old.valid() ? graph_.value(old).name : std::string();
    const Dims dims{static_cast<std::int64_t>(layer.bias.size())};
    const std::vector<float> values(layer.bias.begin(), layer.bias.end());
    graph_.set_input(layer.node, *layer.weights.bias, graph_.add_constant(Tensor::of(dims, values), name));
  }

  void report() {
    graph_.remove_dead();
    for (const Layer &layer : layers_) {
      const Tensor *weight = graph_.constant(graph_.node(layer.node).inputs[layer.weights.weight]);
      const auto zeros = std::ranges::count(weight->as<float>(), 0.0F);
      context_.say(pass_name, graph_.node(layer.node).label(),
                   fmt::format("{} of {} weights are zero ({:.1f} %)", zeros, weight->size(),
                               100.0 * static_cast<double>(zeros) / static_cast<double>(weight->size())));
    }
    std::size_t all = 0;
    for (const WeightTensor &weight : float_weights(original_, {.ops = context_.ops}, pass_name))
      all += static_cast<std::size_t>(original_.constant(weight.value)->size());
    context_.say(pass_name, "", fmt::format("{:.1f} % of the prunable weights are zero, {:.1f} % of the network's",
                                            100.0 * static_cast<double>(zeros_) / static_cast<double>(std::max<std::size_t>(weights_, 1)),
                                            100.0 * static_cast<double>(zeros_) / static_cast<double>(std::max<std::size_t>(all, 1))));
  }
};

Result<bool> run(Graph &graph, const PassContext &context) {
  if (context.lossy.prune_ratio <= 0 && context.lossy.prune_m == 0) return false;
  if (context.calibration == nullptr || context.samples.empty())
    return usage_error("second-order pruning needs calibration samples (--calib)");
  return Pruner(graph, context).run();
}

} // namespace

extern const PassDef prune_second_order;
const PassDef prune_second_order{pass_name, "the weights that matter least become zero, the others make up for them",
                                 PassKind::lossy, run};

} // namespace edgec::passes
