#include "schemes/int8/fit_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "compress/int8.h"
#include "compress/rounding.h"
#include "support/parallel.h"

namespace edgec {
namespace {

/// Share of H's mean diagonal that is added before it is inverted (GPTQ's default).
constexpr double damping = 0.01;
/// Scales are searched where that is cheap; beyond, max |w| / levels is as good at 8 bits.
constexpr std::size_t few_columns = 16, some_columns = 160;

std::vector<double> factors(std::size_t columns, int bits) {
  std::vector<double> found{1.0};
  const double step = columns <= few_columns ? 0.0075 : columns <= some_columns || bits <= 4 ? 0.02 : 0.04;
  const double least = bits <= 4 ? 0.5 : columns <= few_columns ? 0.6 : 0.8;
  if (bits > 4 && columns > some_columns) return found;
  for (double factor = 1.0 - step; factor > least; factor -= step) found.push_back(factor);
  return found;
}

struct Rounded {
  Matrix weights; // before rounding
  std::vector<float> scales;
  std::vector<std::int8_t> codes;
};

void store_codes(Graph &graph, const Int8LayerState &layer, std::vector<std::int8_t> codes) {
  const ValueId weight = graph.node(layer.node).inputs[layer.weights.weight];
  Quant quant{layer.scales, std::vector<std::int32_t>(layer.scales.size(), 0), layer.weights.channel_axis, 0};
  set_codes(graph, weight,
            weight_codes(layer.dims, as_stored(std::move(codes), layer.dims, layer.weights), layer.number),
            std::move(quant));
}

} // namespace

Result<Matrix> fit_int8(Graph &graph, Int8LayerState &layer, std::span<FitGroup> groups, const Job &job) {
  const int levels = layer.number.levels();
  std::vector<Rounded> rounded(groups.size());
  if (!layer.keep.empty()) {
    EDGEC_ASSIGN(Refit fitted, refit_survivors(groups, split_mask(layer.keep, layer.groups()), job.threads));
    for (std::size_t g = 0; g < groups.size(); ++g) rounded[g].weights = std::move(fitted.weights[g]);
  } else {
    EDGEC_ASSIGN(Refit fitted, refit(groups, job.threads));
    for (std::size_t g = 0; g < groups.size(); ++g) rounded[g].weights = std::move(fitted.weights[g]);
  }
  for (FitGroup &group : groups) group.folds.clear(), group.all.c = {}; // as large as all that follows
  const std::size_t rows = layer.group_rows(), columns = layer.original.columns;
  const int inner_threads = groups.size() == 1 ? job.threads : 1;
  EDGEC_CHECK(parallel_for(groups.size(), job.threads, [&](std::size_t g, int) -> Status {
    Rounded &r = rounded[g];
    const std::vector<float> values(r.weights.data.begin(), r.weights.data.end());
    const ChannelSpan span{1, static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)};
    std::vector<double> bias;
    if (!layer.bias.empty())
      bias.assign(layer.bias.begin() + static_cast<std::ptrdiff_t>(g * rows),
                  layer.bias.begin() + static_cast<std::ptrdiff_t>((g + 1) * rows));
    r.scales = symmetric_scales(channel_maxima(values, span), bias, layer.input_scale, levels);
    const RoundingMetric metric(std::move(groups[g].all.h), damping);
    RoundingOptions options{
        .levels = levels, .sweeps = job.options<FitOptions>().rounding_sweeps, .threads = inner_threads};
    options.scale_factors = factors(columns, layer.number.bits);
    EDGEC_ASSIGN(r.codes, round_rows(r.weights, r.scales, metric, options, !layer.keep.empty()));
    return {};
  }));
  Matrix reals(layer.original.rows, columns);
  std::vector<std::int8_t> codes;
  layer.scales.clear();
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t i = 0; i < rounded[g].codes.size(); ++i)
      reals.data[g * rows * columns + i] = static_cast<double>(rounded[g].scales[i / columns]) * rounded[g].codes[i];
    codes.insert(codes.end(), rounded[g].codes.begin(), rounded[g].codes.end());
    layer.scales.insert(layer.scales.end(), rounded[g].scales.begin(), rounded[g].scales.end());
  }
  store_codes(graph, layer, std::move(codes));
  return reals;
}

Result<Matrix> fit_int8_rate(Graph &graph, Int8LayerState &layer, std::span<const FitGroup> groups, double rate,
                             const Sensitivities &sensitivities, const Job &job) {
  const int levels = layer.number.levels();
  const std::vector<float> nothing(layer.original.rows, 0.0F);
  std::vector<float> least(layer.original.rows, std::numeric_limits<float>::min());
  if (!layer.bias.empty()) least = symmetric_scales(nothing, layer.bias, layer.input_scale, levels);
  EDGEC_ASSIGN(RatedLayer rated, fit_rate(layer, groups, rate, sensitivities, std::move(least), job.threads, levels));
  layer.scales = std::move(rated.scales);
  store_codes(graph, layer, std::move(rated.codes));
  return std::move(rated.reals);
}

bool share_int8(Graph &graph, Int8LayerState &layer, const Int8LayerState &first) {
  const ValueId own = graph.node(layer.node).inputs[layer.weights.weight],
                other = graph.node(first.node).inputs[first.weights.weight];
  const Node *reals = graph.producer(own), *other_reals = graph.producer(other);
  if (layer.number != first.number || (reals == nullptr) != (other_reals == nullptr)) return false;
  if (!biases_fit(layer.bias, layer.input_scale, first.scales)) return false;
  layer.scales = first.scales;
  if (reals == nullptr) {
    graph.set_input(layer.node, layer.weights.weight, other);
  } else {
    const NodeId dequantize = graph.value(own).producer;
    for (const std::size_t i : {0U, 1U}) graph.set_input(dequantize, i, graph.producer(other)->inputs[i]);
  }
  return true;
}

} // namespace edgec
