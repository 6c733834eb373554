// Sets the smallest weights to zero, element by element: `--prune R`, over all layers together or each its share.
// Weights of Conv, ConvTranspose, Gemm and MatMul (OpDef::weights) of rank >= 2; depthwise ones, few and sensitive,
// only where they are named.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "compress/magnitude.h"
#include "schemes/fitting/options.h"
#include "schemes/fitting/weights.h"
#include "schemes/prune/options.h"
#include "schemes/scheme.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "prune-magnitude";

std::vector<WeightTensor> prunable(const Graph &graph, const Job &job) {
  std::vector<WeightTensor> found;
  for (WeightTensor &weight : float_weights(graph, job, name)) {
    const Node &node = graph.node(weight.readers.front().node);
    if (!is_depthwise(graph, weight) || job.scope.names(node))
      found.push_back(std::move(weight));
    else
      job.skip(name, node.label(), "depthwise: pruned only where --include names it");
  }
  return found;
}

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  const auto &options = job.options<PruneOptions>();
  const std::vector<WeightTensor> weights = prunable(graph, job);
  std::vector<std::vector<float>> numbers;
  std::vector<std::span<float>> spans;
  for (const WeightTensor &weight : weights) {
    numbers.push_back(to_floats(*graph.constant(weight.value)));
    if (std::ranges::any_of(numbers.back(), [](float x) { return std::isnan(x); }))
      return bad_input(fmt::format("node {}: its weight holds a NaN", graph.node(weight.readers.front().node).label()));
  }
  for (auto &each : numbers) spans.emplace_back(each);
  if (options.scope != "layer")
    prune_magnitude(spans, options.ratio);
  else
    for (const auto &each : spans) prune_magnitude(std::span(&each, 1), options.ratio);
  bool changed = false;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Value &old = graph.value(weights[i].value);
    const auto zeros = std::ranges::count(numbers[i], 0.0F);
    const std::string label = graph.node(weights[i].readers.front().node).label();
    const std::vector<double> wide(numbers[i].begin(), numbers[i].end());
    Tensor pruned = from_doubles(old.data->dtype, old.data->dims, wide);
    if (identical(pruned, *old.data)) continue;
    job.say(name, label, zeros_text(static_cast<std::size_t>(zeros), wide.size()));
    replace_weight(graph, weights[i], graph.add_constant(std::move(pruned), old.name));
    changed = true;
  }
  return SchemeOutcome{.changed = changed};
}

bool wanted(const Settings &settings) {
  const auto &prune = settings.get<PruneOptions>();
  return prune.ratio > 0 && prune.m == 0 && !settings.get<FitOptions>().second_order;
}

} // namespace

extern const SchemeDef prune_magnitude;
const SchemeDef prune_magnitude{.name = name,
                                .flag = "--prune",
                                .summary = "the smallest weights become zero",
                                .place = 10,
                                .learns = Learns::floats,
                                .only_flat = zeros_take_place,
                                .meets_size = true,
                                .uncodes = always,
                                .wanted = wanted,
                                .run = run};

} // namespace edgec::schemes
