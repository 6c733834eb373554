// Cuts whole channels: `--prune-channels R` (a share of the multiply-accumulates) or `--max-macs N`.
//
// Sets of channels that hang together (passes/channels.h) are chosen by what their removal costs the network's answer
// (prune/channel_choice.h), measured on calibration samples. Then layers are fitted one after another
// (fitting/layerwise.h): the readers' remaining weights to the original's outputs on what the cut network gives them,
// biases by the means behind activations. Last the channels, which nobody reads any more, are cut off.
#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "calibrate/layer_moments.h"
#include "compress/blocks.h"
#include "measure/sizes.h"
#include "schemes/fitting/float_layers.h"
#include "schemes/fitting/sensitivity.h"
#include "schemes/prune/channel_choice.h"
#include "schemes/prune/options.h"
#include "schemes/prune/ratio_check.h"
#include "schemes/scheme.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "prune-channels";
constexpr std::size_t widest = 8192; // columns of a layer whose second moments are gathered
constexpr std::size_t positions = 128;

double macs_of(const Graph &graph, const Job &job) {
  return measure_sizes(with_unit_dims(graph, job.ops), job.ops, false).macs;
}

class ChannelPruning {
public:
  ChannelPruning(const Graph &graph, const Job &job)
      : job_(job), graph_(graph), layers_(float_layers(graph_, job)), original_(graph_), map_(graph_, job.ops) {}

  /// The pruned network; nothing where no channel could be cut.
  Result<std::optional<Graph>> run() {
    const double all = macs_of(graph_, job_);
    const auto &options = job_.options<ChannelOptions>();
    double wanted = all * (1 - options.share.value_or(0));
    if (options.max_macs) wanted = std::min(wanted, *options.max_macs);
    name_walls();
    if (wanted >= all) return std::optional<Graph>();
    EDGEC_CHECK(gather());
    const ChannelChoice choice =
        choose_channels(graph_, job_.ops, map_, readers_, wanted, excluded(), job_.channel_multiple);
    if (choice.sets.empty()) return std::optional<Graph>();
    EDGEC_CHECK(fit(choice.sets));
    report(choice, wanted);
    EDGEC_CHECK(cut_channels(graph_, job_.ops, map_, choice.sets));
    return std::optional(std::move(graph_));
  }

private:
  const Job &job_;
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
      if (!wall.empty()) job_.skip(name, graph_.node(layer.node).label(), "channels that cannot be cut: " + wall);
    }
  }

  /// Nodes out of scope keep their channels.
  [[nodiscard]] std::vector<NodeId> excluded() const {
    std::vector<NodeId> found;
    for (const NodeId id : graph_.nodes())
      if (!job_.scope.allows(graph_.node(id))) found.push_back(id);
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
    Walk walk(graph_, job_.ops, *job_.calibration, job_.samples, stops,
              {job_.threads, job_.isa, std::make_shared<MemoryBudget>(job_.memory), false});
    for (const ValueId stop : std::vector<ValueId>(walk.stops())) {
      EDGEC_CHECK(walk.advance());
      for (std::size_t i = 0; i < layers_.size(); ++i)
        if (reads(layers_[i]) && layers_[i].original_data == stop) EDGEC_CHECK(gather(walk, layers_[i], inputs[i]));
    }
    std::vector<NodeId> nodes;
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (inputs[i].h.rows > 0) nodes.push_back(layers_[i].node);
    EDGEC_ASSIGN(const auto costs, layer_sensitivities(graph_, nodes, job_));
    for (std::size_t i = 0; i < layers_.size(); ++i)
      if (inputs[i].h.rows > 0) readers_.push_back({&layers_[i], std::move(inputs[i]), costs.at(layers_[i].node)});
    return {};
  }

  Status gather(const Walk &walk, const Layer &layer, Covariance &found) const {
    const Node &node = graph_.node(layer.node);
    const Type &type = graph_.value(layer.original_data).type;
    const LayerInputs inputs{layer.node, layer.original_data, layer.original_data, type, type,
                             &node,      job_.ops.find(node), layer.dims};
    auto moments = layer_moments(walk, walk, inputs, job_.samples.size(), 1, positions, job_.threads);
    if (!moments && moments.error().code == Code::unsupported) return {};
    if (!moments) return std::move(moments).error(); // no copy is made of what may be large
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
    EDGEC_ASSIGN(const Calibration means, target_means(original_, layers_, job_));
    LayerSteps steps;
    steps.positions = positions;
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) -> Result<Matrix> {
      Matrix fitted = layer.original;
      if (groups.size() == 1) {
        EDGEC_ASSIGN(fitted, fit_columns(groups[0], kept_columns(layer, gone), job_.threads));
      }
      store_float_weight(graph_, layer, fitted);
      return fitted;
    };
    const int folds[] = {0, 1};
    return fit_float_layers(graph_, pointers_to(layers_), {original_, means.merged(folds)}, job_, "fitting layers",
                            steps);
  }

  void report(const ChannelChoice &choice, double wanted) const {
    std::vector<char> gone(map_.set_count());
    for (const std::size_t set : choice.sets) gone[set] = 1;
    for (const Layer &layer : layers_) {
      const ChannelAxis *axis = outputs_of(layer);
      std::int64_t count = 0;
      for (std::int64_t i = 0; axis && i < axis->size; ++i)
        count += gone[map_.set_of(axis->first + static_cast<std::size_t>(i))];
      if (count > 0)
        job_.say(name, graph_.node(layer.node).label(), fmt::format("{} of {} channels cut", count, axis->size));
    }
    job_.say(name, "",
             fmt::format("{:.1f} % of the multiply-accumulates cut: {:.4g} M of {:.4g} M are left",
                         100 * (1 - choice.macs_left / choice.macs), choice.macs_left / 1e6, choice.macs / 1e6));
    if (job_.channel_multiple > 1)
      job_.say(name, "",
               fmt::format(
                   "layers keep a multiple of {} channels, or all: runtimes are slow on others{}", choice.multiple,
                   choice.multiple < job_.channel_multiple
                       ? fmt::format("; with multiples of {} so little work was not to be had", job_.channel_multiple)
                       : std::string()));
    if (choice.macs_left > wanted)
      job_.skip(name, "", fmt::format("{:.4g} M were asked for, but nothing more can be cut", wanted / 1e6));
  }
};

Status judge(const Graph &graph, const Graph &pruned, const Job &job) {
  const double cut = 1 - macs_of(pruned, job) / std::max(macs_of(graph, job), 1.0);
  const PrunedAt pruned_at = [&](double ratio, std::span<const std::size_t> samples) -> Result<Graph> {
    Job part = job.with(ChannelOptions{ratio, std::nullopt});
    part.samples.assign(samples.begin(), samples.end());
    part.note = nullptr;
    EDGEC_ASSIGN(auto smaller, ChannelPruning(graph, part).run());
    return smaller ? *std::move(smaller) : graph;
  };
  const AskedRatio asked{name, fmt::format("cutting {:.2g} of the multiply-accumulates", cut), cut};
  return judge_pruning(graph, pruned, pruned_at, asked, job);
}

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  EDGEC_ASSIGN(auto pruned, ChannelPruning(graph, job).run());
  const auto &options = job.options<ChannelOptions>();
  if (!pruned) return SchemeOutcome{.satisfied = !options.share && macs_of(graph, job) <= options.max_macs.value_or(0)};
  EDGEC_CHECK(judge(graph, *pruned, job));
  graph = std::move(*pruned);
  return SchemeOutcome{.changed = true};
}

void declare(Options &options, Settings &settings) {
  auto &channels = settings.edit<ChannelOptions>();
  options.group("Pruning");
  options
      .add("--prune-channels", "R", &channels.share, "cut whole channels: the fraction R of the multiply-accumulates")
      .is_common()
      .between(0, 1)
      .in(Unit::fraction)
      .loses()
      .records();
  options.add("--max-macs", "N", &channels.max_macs, "cut whole channels until at most N multiply-accumulates are left")
      .between(1, 1e18)
      .loses()
      .records();
}

bool wanted(const Settings &settings) {
  const auto &channels = settings.get<ChannelOptions>();
  return channels.share.value_or(0) > 0 || channels.max_macs;
}

std::vector<SchemeStep> steps(const Job &) { return {{"measuring layers", 5}, {"fitting layers", 5}}; }

} // namespace

extern const SchemeDef prune_channels;
const SchemeDef prune_channels{.name = name,
                               .flag = "--prune-channels",
                               .summary = "channels that cost the answer least are cut out",
                               .phase = Phase::structure,
                               .place = 20,
                               .needs = Needs::samples,
                               .fits = true,
                               .learns = Learns::floats,
                               .meets_size = true,
                               .uncodes = always,
                               .declare = declare,
                               .wanted = wanted,
                               .steps = steps,
                               .run = run};

} // namespace edgec::schemes
