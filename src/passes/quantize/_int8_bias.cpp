#include "passes/quantize/_int8_bias.h"

#include <algorithm>
#include <cmath>

#include "calibrate/walk.h"

namespace edgec {
namespace {

constexpr int newton_steps = 3;
/// Below this share of free codes the slope is too uncertain for a Newton step.
constexpr double least_free_share = 0.02;
/// In steps of the output's scale: a mean that was off by less is right after one Newton step, up to the noise of
/// rounding; one that was further off (4 bits, pruned weights) is measured again.
constexpr double close_enough = 2.0;

/// One Newton step; the largest remaining error in steps of the output's scale.
double step_towards(Int8LayerState &layer, const ChannelObservation &seen, const Type &output, std::span<const double> target) {
  const double scale = output.quant ? output.quant->scale() : 1.0;
  const double zero_point = output.quant ? output.quant->zero_point() : 0.0;
  double worst = 0;
  for (std::size_t c = 0; c < layer.bias.size() && c < target.size(); ++c) {
    const double mean = (seen.sum[c] / seen.positions - zero_point) * scale;
    const double missing = target[c] - mean;
    double free = layer.clamped ? seen.inside[c] / seen.positions : 1.0;
    if (free < least_free_share) free = 1.0;
    layer.bias[c] += missing / free;
    worst = std::max(worst, std::abs(missing) / scale);
  }
  return worst;
}

} // namespace

Status correct_biases(Graph &graph, std::span<Int8LayerState> layers, const RangeStatistics &means, const PassContext &context) {
  std::vector<ValueId> stops;
  for (const Int8LayerState &layer : layers)
    if (!layer.bias.empty()) stops.push_back(layer.data);
  Walk walk(graph, context.ops, *context.calibration, context.samples, stops, {context.threads, context.isa});
  for (const ValueId stop : std::vector<ValueId>(walk.stops())) {
    EDGEC_CHECK(walk.advance());
    std::vector<Int8LayerState *> open;
    for (Int8LayerState &layer : layers)
      if (layer.data == stop && !layer.bias.empty() && means.contains(layer.target)) open.push_back(&layer);
    for (int step = 0; step < newton_steps && !open.empty(); ++step) {
      std::vector<ValueId> outputs;
      for (const Int8LayerState *layer : open) outputs.push_back(layer->output);
      EDGEC_ASSIGN(const auto seen, walk.observe(outputs));
      std::erase_if(open, [&](Int8LayerState *layer) {
        const Type &output = graph.value(layer->output).type;
        const double worst = step_towards(*layer, seen.at(layer->output), output, means.at(layer->target).channel_mean);
        store_bias(graph, *layer);
        return output.quant && worst < close_enough;
      });
    }
  }
  return {};
}

} // namespace edgec
