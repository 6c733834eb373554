#include "schemes/fitting/layerwise.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "calibrate/layer_moments.h"
#include "ir/evaluate.h"

namespace edgec {
namespace {

/// Power of the white noise that is added to made-up samples, as a share of theirs.
constexpr double made_up_noise = 0.1;

/// Bytes of a layer's second moments up to which folds are kept apart: 2,300 columns.
constexpr std::size_t most_moments = std::size_t{256} << 20;

constexpr int newton_steps = 3;
/// Below this share of free values the slope is too uncertain for a Newton step.
constexpr double least_free_share = 0.02;
/// In steps of the output's scale: a mean that was off by less is right after one Newton step, up to the noise of
/// rounding; one that was further off (4 bits, pruned weights) is measured again.
constexpr double close_enough = 2.0;
/// The step that a float output counts as having: a share of its largest mean.
constexpr double relative_step = 1e-3;

class Compression {
public:
  Compression(Graph &graph, const Graph &original, std::span<Layer *const> layers, const RangeStatistics &means,
              const Job &job, const LayerSteps &steps)
      : graph_(graph), original_(original), layers_(layers), means_(means), job_(job), steps_(steps),
        budget_(std::make_shared<MemoryBudget>(job.memory)),
        now_(graph, job.ops, *job.calibration, job.samples, stops(graph), options(false)),
        before_(original, job.ops, *job.calibration, job.samples, original_stops(), options(true)) {}

  Status run() {
    std::size_t done = 0;
    for (const ValueId stop : std::vector<ValueId>(now_.stops())) {
      EDGEC_CHECK(now_.advance());
      std::vector<Layer *> open;
      for (Layer *layer : layers_)
        if (data_of(*layer) == stop) open.push_back(layer);
      for (Layer *layer : open) {
        if (steps_.fit) EDGEC_CHECK(fit(*layer));
        if (steps_.progress) steps_.progress(++done, layers_.size());
      }
      if (steps_.fit)
        for (const Layer *layer : open) before_.release(layer->original_data);
      EDGEC_CHECK(match_means(open));
    }
    return {};
  }

private:
  Graph &graph_;
  const Graph &original_;
  std::span<Layer *const> layers_;
  const RangeStatistics &means_;
  const Job &job_;
  const LayerSteps &steps_;
  std::shared_ptr<MemoryBudget> budget_;
  Walk now_, before_;

  struct Fitted {
    const Layer *first;
    Matrix reals;
  };
  std::map<ValueId, Fitted> shared_; // weights that several layers read

  [[nodiscard]] Walk::Options options(bool hold) const { return {job_.threads, job_.isa, budget_, hold}; }
  [[nodiscard]] ValueId data_of(const Layer &layer) const { return graph_.node(layer.node).inputs[layer.weights.data]; }

  [[nodiscard]] std::vector<ValueId> stops(const Graph &graph) const {
    std::vector<ValueId> found;
    for (const Layer *layer : layers_)
      if (steps_.fit || !layer->bias.empty()) found.push_back(graph.node(layer->node).inputs[layer->weights.data]);
    return found;
  }
  [[nodiscard]] std::vector<ValueId> original_stops() const {
    std::vector<ValueId> found;
    for (const Layer *layer : layers_) found.push_back(layer->original_data);
    return found;
  }

  Status fit(Layer &layer) {
    if (layer.original.rows == 0) return {};
    auto seen = groups_of(layer, now_, data_of(layer), graph_.value(data_of(layer)).type);
    if (!seen && seen.error().code == Code::unsupported) return {};
    if (!seen) return std::move(seen).error(); // no copy is made of what may be large
    std::vector<FitGroup> groups = std::move(*seen);
    EDGEC_ASSIGN(const Matrix fitted, fit_weights(layer, groups));
    if (layer.bias.empty()) return {};
    for (std::size_t row = 0; row < fitted.rows; ++row) {
      const Covariance &means = groups[row / layer.group_rows()].all;
      for (std::size_t k = 0; k < fitted.columns; ++k)
        layer.bias[row] += layer.original(row, k) * means.mean_x[k] - fitted(row, k) * means.mean_y[k];
    }
    steps_.store_bias(layer);
    return {};
  }

  /// Each fold, and their sum, has two matrices. What is too wide for that does without the search that needs folds.
  [[nodiscard]] std::size_t folds_for(const Layer &layer) const {
    const std::size_t matrix = layer.original.columns * layer.original.columns * sizeof(double);
    return matrix * 2 * (steps_.folds + 1) * layer.groups() <= most_moments ? steps_.folds : 1;
  }

  /// What a layer reads in the original, and at a stop of a walk.
  Result<std::vector<FitGroup>> groups_of(const Layer &layer, const Walk &walk, ValueId stop, const Type &type) {
    EDGEC_CHECK(before_.reach(layer.original_data));
    const Node &node = graph_.node(layer.node);
    const Type &original = original_.value(layer.original_data).type;
    const LayerInputs inputs{layer.node, layer.original_data, stop,      original, type,
                             &node,      job_.ops.find(node), layer.dims};
    EDGEC_ASSIGN(auto moments, layer_moments(before_, walk, inputs, job_.samples.size(), folds_for(layer),
                                             steps_.positions, job_.threads));
    std::vector<FitGroup> groups = fit_groups(layer, std::move(moments));
    if (job_.made_up)
      for (FitGroup &group : groups) distrust(group);
    for (const FitGroup &group : groups)
      if (!all_finite(group.all))
        return bad_input(fmt::format(
            "node {}: reads NaN or infinity on these samples, so that its weights cannot be fitted", node.label()));
    return groups;
  }

  Result<Matrix> fit_weights(Layer &layer, std::vector<FitGroup> &groups) {
    const std::vector<const Layer *> others = sharing(layer);
    if (others.empty()) return steps_.fit(layer, groups);
    if (const auto found = shared_.find(layer.weight); found != shared_.end())
      return steps_.follow(layer, *found->second.first) ? found->second.reals : steps_.fit(layer, groups);
    for (const Layer *other : others) {
      const ValueId data = other->original_data;
      const auto more = groups_of(*other, before_, data, original_.value(data).type);
      if (!more && more.error().code == Code::unsupported) continue;
      if (!more) return more.error();
      for (std::size_t g = 0; g < groups.size(); ++g) {
        groups[g].all.add((*more)[g].all);
        for (std::size_t f = 0; f < std::min(groups[g].folds.size(), (*more)[g].folds.size()); ++f)
          groups[g].folds[f].add((*more)[g].folds[f]);
      }
    }
    EDGEC_ASSIGN(const Matrix fitted, steps_.fit(layer, groups));
    shared_[layer.weight] = {&layer, fitted};
    return fitted;
  }

  /// The other layers that read the same numbers as their weight.
  [[nodiscard]] std::vector<const Layer *> sharing(const Layer &layer) const {
    std::vector<const Layer *> found;
    for (const Layer *other : layers_)
      if (steps_.follow && other != &layer && other->weight == layer.weight && other->groups() == layer.groups() &&
          other->weights.channel_axis == layer.weights.channel_axis && other->original.data == layer.original.data &&
          other->bias.empty() == layer.bias.empty())
        found.push_back(other);
    return found;
  }

  static void distrust(FitGroup &group) {
    whiten(group.all, made_up_noise);
    for (Covariance &fold : group.folds) whiten(fold, made_up_noise);
  }

  static bool all_finite(const Covariance &seen) {
    const auto finite = [](const std::vector<double> &values) {
      return std::ranges::all_of(values, [](double x) { return std::isfinite(x); });
    };
    return finite(seen.mean_x) && finite(seen.mean_y) && finite(seen.h.data) && finite(seen.c.data);
  }

  static std::vector<FitGroup> fit_groups(const Layer &layer, std::vector<std::vector<Moments>> moments) {
    std::vector<FitGroup> groups;
    const bool centred = !layer.bias.empty();
    for (std::size_t g = 0; g < moments.size(); ++g) {
      std::vector<Moments> folds = std::move(moments[g]);
      std::erase_if(folds, [](const Moments &fold) { return fold.count == 0; });
      Moments all = folds.size() > 1 || folds.empty() ? Moments(layer.original.columns) : std::move(folds.front());
      if (folds.size() > 1)
        for (const Moments &fold : folds) all.add(fold);
      FitGroup group{Matrix(layer.group_rows(), layer.original.columns), covariance(std::move(all), centred), {}};
      const auto first = layer.original.data.begin() + static_cast<std::ptrdiff_t>(g * group.weights.data.size());
      std::copy_n(first, group.weights.data.size(), group.weights.data.begin());
      if (folds.size() > 1)
        for (Moments &fold : folds) group.folds.push_back(covariance(std::move(fold), centred));
      groups.push_back(std::move(group));
    }
    return groups;
  }

  /// Newton steps until the means behind the layers' activations are those of the original.
  Status match_means(std::vector<Layer *> open) {
    std::erase_if(open, [&](const Layer *layer) { return layer->bias.empty() || !means_.contains(layer->target); });
    for (int step = 0; step < newton_steps && !open.empty(); ++step) {
      std::map<ValueId, Interval> outputs;
      for (const Layer *layer : open) outputs[layer->output] = layer->clamp ? interval(*layer->clamp) : Interval{};
      EDGEC_ASSIGN(const auto seen, now_.observe(outputs));
      std::erase_if(open, [&](Layer *layer) {
        const double worst = step_towards(*layer, seen.at(layer->output), means_.at(layer->target).channel_mean);
        steps_.store_bias(*layer);
        return worst < close_enough;
      });
    }
    return {};
  }

  /// One Newton step; the largest remaining error in steps of the output's scale.
  double step_towards(Layer &layer, const ChannelObservation &seen, std::span<const double> target) const {
    const Type &output = graph_.value(layer.output).type;
    const double scale = output.quant ? output.quant->scale() : spread(target) * relative_step;
    const double zero_point = output.quant ? output.quant->zero_point() : 0.0;
    double worst = 0;
    for (std::size_t c = 0; c < layer.bias.size() && c < target.size(); ++c) {
      const double mean =
          output.quant ? (seen.sum[c] / seen.positions - zero_point) * scale : seen.sum[c] / seen.positions;
      const double missing = target[c] - mean;
      double free = layer.clamp ? seen.inside[c] / seen.positions : 1.0;
      if (free < least_free_share) free = 1.0;
      layer.bias[c] += missing / free;
      worst = std::max(worst, std::abs(missing) / scale);
    }
    return worst;
  }

  static Interval interval(const Clamp &clamp) {
    return {static_cast<float>(clamp.low), static_cast<float>(clamp.high)};
  }

  static double spread(std::span<const double> means) {
    double largest = 1e-30;
    for (const double mean : means) largest = std::max(largest, std::abs(mean));
    return largest;
  }
};

} // namespace

std::optional<Matrix> weight_rows(const Tensor &weight, const WeightInfo &info) {
  if (info.channel_axis != 0 && (weight.rank() != 2 || info.channel_axis != 1)) return std::nullopt;
  const std::vector<double> values = to_doubles(weight);
  const auto channels = static_cast<std::size_t>(weight.dims[static_cast<std::size_t>(info.channel_axis)]);
  if (channels == 0 || values.empty() || channels % static_cast<std::size_t>(info.groups) != 0) return std::nullopt;
  Matrix rows(channels, values.size() / channels);
  for (std::size_t i = 0; i < rows.rows; ++i)
    for (std::size_t j = 0; j < rows.columns; ++j)
      rows(i, j) = info.channel_axis == 0 ? values[i * rows.columns + j] : values[j * rows.rows + i];
  return rows;
}

std::function<void(std::size_t, std::size_t)> layer_progress(const Job &job, std::string_view what) {
  if (!job.progress) return nullptr;
  return [&job, what](std::size_t done, std::size_t all) { job.progress(what, done, all); };
}

Status compress_layers(Graph &graph, const Graph &original, std::span<Layer *const> layers,
                       const RangeStatistics &means, const Job &job, const LayerSteps &steps) {
  return Compression(graph, original, layers, means, job, steps).run();
}

} // namespace edgec
