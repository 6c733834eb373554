#include "schemes/int8/source.h"

#include <algorithm>
#include <fmt/format.h>

#include "schemes/fitting/channel_bias.h"
#include "schemes/fitting/float_layers.h"
#include "schemes/fitting/held_out.h"
#include "schemes/int8/border.h"
#include "schemes/int8/fit_weights.h"
#include "schemes/int8/options.h"
#include "schemes/int8/retype.h"
#include "schemes/int8/uncoded.h"
#include "schemes/rate/options.h"
#include "schemes/stored/constants.h"

namespace edgec {
namespace {

/// After other lossy passes the layers are fitted to the weights before these; what was pruned stays zero.
void aim_at_original(std::vector<Int8LayerState> &layers, const Int8Source &source) {
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

/// Whether rounding is all that is done to the layers, to 8 bits: what half of the positions show of their inputs then
/// does as well.
bool round_little(const std::vector<Int8LayerState> &layers) {
  return std::ranges::all_of(layers,
                             [](const Int8LayerState &layer) { return layer.number.bits >= 8 && layer.keep.empty(); });
}

/// Ranges of the job's table in place of those that its samples showed.
Status take_ranges(Int8Source &source, const Job &job) {
  std::size_t missing = 0, taken = 0;
  for (const auto &[id, number] : source.plan.quantized) {
    if (source.graph.constant(id) != nullptr) continue;
    const std::string key = value_key(source.graph, id);
    const auto known = job.ranges->values.find(key);
    if (known == job.ranges->values.end() && !job.ranges->complete) {
      ++missing;
      continue;
    }
    if (known == job.ranges->values.end())
      return usage_error(
          fmt::format("--ranges: has none of {}; was it made with the same flags for passes and opset?", key));
    for (std::size_t fold = 0; fold < source.ranges.folds.size(); ++fold) {
      ValueStatistics &seen = source.ranges.folds[fold][id];
      const ValueStatistics &wanted = known->second[fold];
      seen.minimum = wanted.minimum, seen.maximum = wanted.maximum, seen.infinite = wanted.infinite;
      seen.histogram = wanted.histogram;
    }
    ++taken;
  }
  if (taken == 0 && missing > 0)
    return usage_error(fmt::format("--ranges: none of its names is one of the {} values that become codes; names are "
                                   "those of values, as 'edgec inspect' lists them",
                                   missing));
  if (missing > 0)
    job.say(int8_name, "", fmt::format("ranges of {} values from the table, of {} from samples", taken, missing));
  return {};
}

} // namespace

void leave_float(const std::vector<CoarseValue> &values, NetworkSpec &spec, const Job &job) {
  for (const CoarseValue &coarse : values) {
    spec.other_values[coarse.value] = std::nullopt;
    job.skip(int8_name, coarse.node, coarse.why);
  }
}

void plan_again(Int8Source &source, const Job &job) {
  Job quiet = job;
  quiet.note = nullptr;
  auto exact = std::move(source.plan.exact);
  source.plan = plan_int8(source.graph, quiet, source.spec);
  std::erase_if(exact, [&](const auto &input) { return !source.plan.quantized.contains(input.first); });
  source.plan.exact = std::move(exact);
}

Status calibrate_source(Int8Source &source, const Job &job) {
  CalibrationOptions options;
  for (const auto &[id, number] : source.plan.quantized)
    if (source.graph.constant(id) == nullptr) options.ranges.push_back(id);
  for (const Int8Layer &layer : source.plan.layers) options.channel_means.push_back(layer.target);
  for (const EqualizedTensor &tensor : source.tensors) {
    options.channel_spreads.push_back(tensor.value);
    if (tensor.last_axis) options.last_axis.insert(tensor.value);
  }
  const auto &int8 = job.options<Int8Options>();
  options.histograms = int8.range != "minmax" || int8.activation_bits < 8;
  if (int8.range == "percentile" && int8.activation_bits >= 8) options.percentile = int8.percentile;
  options.threads = job.threads;
  options.isa = job.isa;
  options.progress = layer_progress(job, "calibrating");
  if (job.original == nullptr) keep_answers(source.graph, job, options);
  EDGEC_ASSIGN(source.ranges, calibrate(source.graph, job.ops, *job.calibration, job.samples, options));
  if (job.ranges != nullptr) EDGEC_CHECK(take_ranges(source, job));
  const int both[] = {0, 1};
  if (const auto infinite = find_infinite_values(source.graph, source.plan, source.ranges.merged(both));
      !infinite.empty()) {
    leave_float(infinite, source.spec, job);
    plan_again(source, job);
    return calibrate_source(source, job);
  }
  if (job.original == nullptr) return {};
  options.ranges.clear();
  options.channel_spreads.clear();
  options.histograms = false;
  keep_answers(source.original, job, options);
  EDGEC_ASSIGN(source.means, calibrate(source.original, job.ops, *job.calibration, job.samples, options));
  return {};
}

Result<std::size_t> quantize_source(Graph &graph, const Int8Source &source, std::span<const int> folds, const Job &job,
                                    double rate) {
  graph = source.graph;
  EDGEC_ASSIGN(auto layers, retype_int8(graph, source.plan, source.ranges.merged(folds), job));
  aim_at_original(layers, source);
  LayerSteps steps;
  steps.positions = job.options<FitOptions>().positions;
  if (rate == 0 && round_little(layers)) steps.positions = (steps.positions + 1) / 2;
  if (rate > 0)
    steps.fit = [&](Layer &layer, std::span<const FitGroup> groups) {
      return fit_int8_rate(graph, static_cast<Int8LayerState &>(layer), groups, rate, source.sensitivities, job);
    };
  else if (job.options<FitOptions>().second_order)
    steps.fit = [&](Layer &layer, std::span<FitGroup> groups) {
      return fit_int8(graph, static_cast<Int8LayerState &>(layer), groups, job);
    };
  steps.follow = [&](Layer &layer, const Layer &first) {
    return share_int8(graph, static_cast<Int8LayerState &>(layer), static_cast<const Int8LayerState &>(first));
  };
  steps.store_bias = [&](Layer &layer) { store_bias(graph, static_cast<Int8LayerState &>(layer)); };
  steps.progress = layer_progress(job, "fitting layers");
  if (!job.options<Int8Options>().no_bias_correction || steps.fit)
    EDGEC_CHECK(compress_layers(graph, source.original, pointers_to(layers), source.means_of(folds), job, steps));
  drop_saturated_clamps(graph, job.kept != nullptr ? &job.kept->ends : nullptr);
  graph.remove_dead();
  const StoreRequest rest{.layers = false, .searched = job.options<FitOptions>().second_order};
  EDGEC_ASSIGN(const bool stored, store_constants(graph, rest, job, int8_name));
  if (stored) EDGEC_CHECK(infer_types(graph, job.ops));
  return layers.size() + (stored ? 1 : 0);
}

namespace {

FitHalf quantize_half(const Int8Source &source, const Job &job) {
  return [&](std::span<const std::size_t> samples, std::size_t fold) -> Result<Graph> {
    Job half = on_samples(job, samples);
    half.note = nullptr;
    Graph candidate;
    const int folds[] = {static_cast<int>(fold)};
    EDGEC_CHECK(quantize_source(candidate, source, folds, half));
    return candidate;
  };
}

} // namespace

Result<Fidelity> cross_fit(const Int8Source &source, const Job &job) {
  return judge_held_out(*job.reference, quantize_half(source, job), job);
}

Result<Fidelity> judge_for_report(const Int8Source &source, const Job &job) {
  const RateOptions &budgets = job.options<RateOptions>();
  const bool all = job.options<FitOptions>().effort == "high" || budgets.max_drop || budgets.min_agreement;
  if (all || job.samples.size() <= enough_judging) return cross_fit(source, job);
  return judge_second_half(*job.reference, quantize_half(source, job), job);
}

} // namespace edgec
