// Sets the smallest weights to zero, element by element: `--prune R`, over all layers together or each its share.
// Weights of Conv, ConvTranspose, Gemm and MatMul (OpDef::weights) of rank >= 2; depthwise ones, few and sensitive,
// only where they are named.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "compress/magnitude.h"
#include "passes/weights.h"

namespace edgec::passes {
namespace {

constexpr std::string_view name = "prune-magnitude";

std::vector<WeightTensor> prunable(const Graph &graph, const PassContext &context) {
  std::vector<WeightTensor> found;
  for (WeightTensor &weight : float_weights(graph, context, name)) {
    const Node &node = graph.node(weight.readers.front().node);
    if (!is_depthwise(graph, weight) || is_named(node, context.lossy.include_depthwise))
      found.push_back(std::move(weight));
    else
      context.skip(name, node.label(), "depthwise: pruned only where --include names it");
  }
  return found;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  if (context.lossy.prune_ratio <= 0) return false;
  const std::vector<WeightTensor> weights = prunable(graph, context);
  std::vector<std::vector<float>> numbers;
  std::vector<std::span<float>> spans;
  for (const WeightTensor &weight : weights) {
    numbers.push_back(to_floats(*graph.constant(weight.value)));
    if (std::ranges::any_of(numbers.back(), [](float x) { return std::isnan(x); }))
      return bad_input(fmt::format("node {}: its weight holds a NaN", graph.node(weight.readers.front().node).label()));
  }
  for (auto &each : numbers) spans.emplace_back(each);
  if (context.lossy.prune_scope != "layer")
    prune_magnitude(spans, context.lossy.prune_ratio);
  else
    for (const auto &each : spans) prune_magnitude(std::span(&each, 1), context.lossy.prune_ratio);
  bool changed = false;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const Value &old = graph.value(weights[i].value);
    const auto zeros = std::ranges::count(numbers[i], 0.0F);
    const std::string label = graph.node(weights[i].readers.front().node).label();
    const std::vector<double> wide(numbers[i].begin(), numbers[i].end());
    Tensor pruned = from_doubles(old.data->dtype, old.data->dims, wide);
    if (identical(pruned, *old.data)) continue;
    context.say(name, label,
                fmt::format("{} of {} weights are zero ({:.1f} %)", zeros, wide.size(),
                            100.0 * static_cast<double>(zeros) / static_cast<double>(wide.size())));
    replace_weight(graph, weights[i], graph.add_constant(std::move(pruned), old.name));
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef prune_magnitude;
const PassDef prune_magnitude{name, "the smallest weights become zero", PassKind::lossy, run};

} // namespace edgec::passes
