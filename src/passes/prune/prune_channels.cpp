// Cuts whole channels: `--prune-channels R` (a share of the multiply-accumulates) or `--max-macs N`.
//
// Sets of channels that hang together (passes/channels.h) are chosen by what their removal costs the network's answer
// (_channel_choice.h), measured on calibration samples. Then layers are fitted one after another (passes/layerwise.h):
// the readers' remaining weights to the original's outputs on what the cut network gives them, biases by the means
// behind activations. Last the channels, which nobody reads any more, are cut off.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "calibrate/layer_moments.h"
#include "compress/blocks.h"
#include "measure/sizes.h"
#include "passes/float_layers.h"
#include "passes/prune/_answers.h"
#include "passes/prune/_channel_choice.h"
#include "passes/sensitivity.h"

namespace edgec::passes {
namespace {

constexpr std::string_view name = "prune-channels";
constexpr std::size_t widest = 8192; // columns of a layer whose second moments are gathered
constexpr std::size_t positions = 128;

double macs_of(const Graph &graph, const PassContext &context) {
  return measure_sizes(with_unit_dims(graph, context.ops), context.ops).macs;
}

class ChannelPruning {
public:
  ChannelPruning(const Graph &graph, const PassContext &context)
      : context_(context), graph_(graph), layers_(float_layers(graph_, context)), original_(graph_), map_(graph_, context.ops) {}

  /// The pruned network; nothing where no channel could be cut.
  Result<std::optional<Graph>> run() {
    const double all = macs_of(graph_, context_);
    double wanted = all * (1 - context_.lossy.prune_channels);
    if (context_.lossy.max_macs > 0) wanted = std::min(wanted, context_.lossy.max_macs);
    name_walls();
    if (wanted >= all) return std::optional<Graph>();
    EDGEC_CHECK(gather());
    const ChannelChoice choice =
        choose_channels(graph_, context_.ops, map_, readers_, wanted, excluded(), context_.channel_multiple);
    if (choice.sets.empty()) return std::optional<Graph>();
    EDGEC_CHECK(fit(choice.sets));
    report(choice, wanted);
    EDGEC_CHECK(cut_channels(graph_, context_.ops, map_, choice.sets));
    return std::optional(std::move(graph_));
  }

private:
  const PassContext &context_;
  Graph graph_;
  std::vector<Layer> layers_;
  Graph original_;
  ChannelMap map_;
  std::vector<ChannelReader> readers_;

  [[nodiscard]] const ChannelAxis *outputs_of(const Layer &layer) const {
    const ChannelAxis *axis = map_.axis(graph_.node(layer.node).outputs[0], layer.weights.output_axis);
    return axis && axis->size > 0 ? axis : nullptr;
  }
  [[nodiscard]] const ChannelAxis *inputs_of(const Layer &layer) const {
    for (const ChannelSum &sum : map_.sums())
      if (sum.node == layer.node)
        return map_.axis(graph_, {sum.node, static_cast<std::uint32_t>(sum.tie.input)}, sum.tie.input_axis);
    return nullptr;
  }

  void name_walls() const {
    for (const Layer &layer : layers_) {
      const ChannelAxis *axis = outputs_of(layer);
      if (!axis) continue;
      const std::string &wall = map_.wall(map_.set_of(axis->first));
      if (!wall.empty()) context_.skip(name, graph_.node(layer.node).label(), "channels that cannot be cut: " + wall);
    }
  }

  /// Nodes out of scope keep their channels.
  [[nodiscard]] std::vector<NodeId> excluded() const {
    std::vector<NodeId> found;
    for (const NodeId id : graph_.nodes())
      if (!context_.scope.allows(graph_.node(id))) found.push_back(id);
    return found;
  }

  /// Second moments and sensitivities of the layers that sum over channels.
  Status gather() {
    std::vector<ValueId> stops;
    const auto reads = [&](const Layer &layer) {
      return layer.weights.groups == 1 && layer.original.columns <= widest && inputs_of(layer) != nullptr;
    };
    for (const Layer &layer : layers_)
      if (reads(layer)) stops.push_back(layer.original_data);
    std::vector<Covariance> inputs(layers_.size());
    Walk walk(graph_, context_.ops, *context_.calibration, context_.samples, stops,
              {context_.threads, context_.isa, std::make_shared<MemoryBudget>(context_.memory), false});
    for (const ValueId stop : std::vector<ValueId>(walk.stops())) {
      EDGEC_CHECK(walk.advance());
      for (std::size_t i = 0; i < layers_.size(); ++i)
        if (reads(layers_[i]) && layers_[i].original_data == stop) EDGEC_CHECK(gather(walk, layers_[i], inputs[i]));
    }
    std::vector<NodeId> nodes;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (inputs[i].h.rows > 0) nodes.push_back(layers_[i].node);
    EDGEC_ASSIGN(const auto costs, layer_sensitivities(graph_, nodes, context_));
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (inputs[i].h.rows > 0) readers_.push_back({&layers_[i], std::move(inputs[i]), costs.at(layers_[i].node)});
    return {};
  }

  Status gather(const Walk &walk, const Layer &layer, Covariance &found) const {
    const Node &node = graph_.node(layer.node);
    const Type &type = graph_.value(layer.original_data).type;
    const LayerInputs inputs{layer.node, layer.original_data, layer.original_data, type, type, &node, context_.ops.find(node), layer.dims};
    auto moments = layer_moments(walk, walk, inputs, context_.samples.size(), 1, positions, context_.threads);
    if (!moments && moments.error().code == Code::unsupported) return {};
    EDGEC_CHECK(moments);
    found = covariance(std::move(moments->front().front()), !layer.bias.empty());
    found.c = {};
    return {};
  }

  /// The columns of a layer's weight that are left when `sets` are gone.
  [[nodiscard]] std::vector<std::size_t> kept_columns(const Layer &layer, const std::vector<char> &gone) const {
    std::vector<std::size_t> kept;
    const ChannelAxis *axis = layer.weights.groups == 1 ? inputs_of(layer) : nullptr;
    if (!axis || axis->size == 0) {
      kept.resize(layer.original.columns);
      std::iota(kept.begin(), kept.end(), std::size_t{0});
      return kept;
    }
    for (std::int64_t i = 0; i < axis->size; ++i)
      if (!gone[map_.set_of(axis->first + static_cast<std::size_t>(i))])
        std::ranges::copy(columns_of(layer.original.columns, axis->size, i), std::back_inserter(kept));
    return kept;
  }

  Status fit(const std::vector<std::size_t> &sets) {
    std::vector<char> gone(map_.set_count());
    for (const std::size_t set : sets) gone[set] = 1;
    CalibrationOptions options;
    for (const Layer &layer : layers_) options.channel_means.push_back(layer.target);
    options.threads = context_.threads;
    options.isa = context_.isa;
    EDGEC_ASSIGN(const Calibration means, calibrate(original_, context_.ops, *context_.calibration, context_.samples, options));
    LayerSteps steps;
    steps.positions = positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) -> Result<Matrix> {
      Matrix fitted = groups.size() == 1 ? fit_columns(groups[0], kept_columns(layer, gone), context_.threads) : layer.original;
      store_float_weight(graph_, layer, fitted);
      return fitted;
    };
    steps.store_bias = [&](Layer &layer) { store_float_bias(graph_, layer); };
    steps.progress = layer_progress(context_, "fitting layers");
    std::vector<Layer *> all;
    for (Layer &layer : layers_) all.push_back(&layer);
    const int folds[] = {0, 1};
    return compress_layers(graph_, original_, all, means.merged(folds), context_, steps);
  }

  void report(const ChannelChoice &choice, double wanted) const {
    std::vector<char> gone(map_.set_count());
    for (const std::size_t set : choice.sets) gone[set] = 1;
    for (const Layer &layer : layers_) {
      const ChannelAxis *axis = outputs_of(layer);
      std::int64_t count = 0;
      for (std::int64_t i = 0; axis && i < axis->size; ++i) count += gone[map_.set_of(axis->first + static_cast<std::size_t>(i))];
      if (count > 0) context_.say(name, graph_.node(layer.node).label(), fmt::format("{} of {} channels cut", count, axis->size));
    }
    context_.say(name, "", fmt::format("{:.1f} % of the multiply-accumulates cut: {:.4g} M of {:.4g} M are left",
                                       100 * (1 - choice.macs_left / choice.macs), choice.macs_left / 1e6, choice.macs / 1e6));
    if (context_.channel_multiple > 1)
      context_.say(name, "",
                   fmt::format("layers keep a multiple of {} channels, or all: runtimes are slow on others{}",
                               choice.multiple,
                               choice.multiple < context_.channel_multiple
                                   ? fmt::format("; with multiples of {} so little work was not to be had",
                                                 context_.channel_multiple)
                                   : std::string()));
    if (choice.macs_left > wanted)
      context_.skip(name, "", fmt::format("{:.4g} M were asked for, but nothing more can be cut", wanted / 1e6));
  }
};

Status judge(const Graph &graph, const Graph &pruned, const PassContext &context) {
  const double cut = 1 - macs_of(pruned, context) / std::max(macs_of(graph, context), 1.0);
  const PrunedAt pruned_at = [&](double ratio, std::span<const std::size_t> samples) -> Result<Graph> {
    PassContext part = context;
    part.samples.assign(samples.begin(), samples.end());
    part.note = nullptr;
    part.lossy.prune_channels = ratio;
    part.lossy.max_macs = 0;
    EDGEC_ASSIGN(auto smaller, ChannelPruning(graph, part).run());
    return smaller ? *std::move(smaller) : graph;
  };
  const AskedRatio asked{name, fmt::format("cutting {:.2g} of the multiply-accumulates", cut), cut};
  return judge_pruning(graph, pruned, pruned_at, asked, context);
}

Result<bool> run(Graph &graph, const PassContext &context) {
  if (context.lossy.prune_channels <= 0 && context.lossy.max_macs <= 0) return false;
  if (!context.calibration || context.samples.empty())
    return usage_error("channel pruning needs calibration samples (--calib)");
  EDGEC_ASSIGN(auto pruned, ChannelPruning(graph, context).run());
  if (!pruned) return false;
  EDGEC_CHECK(judge(graph, *pruned, context));
  graph = std::move(*pruned);
  return true;
}

} // namespace

extern const PassDef prune_channels;
const PassDef prune_channels{name, "channels that cost the answer least are cut out", PassKind::lossy, run};

} // namespace edgec::passes
