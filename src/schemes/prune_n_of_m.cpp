// Structured sparsity without samples: `--prune N:M --effort fast`. Of every M neighbours along the input axis the N
// largest in magnitude stay (Mishra et al. 2021), row by row, at each place of a kernel. Depthwise weights, whose rows
// have one input, and layers with fewer inputs than M stay as they are.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "compress/survivors.h"
#include "schemes/fitting/layerwise.h"
#include "schemes/fitting/options.h"
#include "schemes/prune/options.h"
#include "schemes/scheme.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "prune-n-of-m";

/// The weights of which N of every M inputs are left; nothing, with the reason said, where that cannot be.
std::optional<Tensor> pruned(const Graph &graph, const WeightTensor &weight, const PruneOptions &options,
                             const Job &job) {
  const Tensor &data = *graph.constant(weight.value);
  const WeightInfo &info = weight.readers.front().info;
  const std::string label = graph.node(weight.readers.front().node).label();
  std::size_t taps = 1;
  for (std::size_t i = 2; i < data.dims.size() && info.channel_axis == 0; ++i)
    taps *= static_cast<std::size_t>(data.dims[i]);
  auto rows = weight_rows(data, info);
  if (!rows || rows->columns / taps < static_cast<std::size_t>(options.m)) {
    job.skip(name, label, fmt::format("has no {} neighbours along its inputs", options.m));
    return std::nullopt;
  }
  Matrix sizes = *rows;
  for (double &x : sizes.data) x = std::abs(x);
  const Mask kept = choose_masks(std::span(&sizes, 1), {0, options.n, options.m, taps}).front();
  for (std::size_t i = 0; i < kept.size(); ++i)
    if (kept[i] == 0) rows->data[i] = 0;
  const auto zeros = std::ranges::count(rows->data, 0.0);
  job.say(name, label, zeros_text(static_cast<std::size_t>(zeros), rows->data.size()));
  return from_doubles(data.dtype, data.dims, as_stored(std::move(rows->data), data.dims, info));
}

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  const auto &options = job.options<PruneOptions>();
  SchemeOutcome outcome;
  for (const WeightTensor &weight : float_weights(graph, job, name)) {
    auto left = pruned(graph, weight, options, job);
    if (!left || identical(*left, *graph.constant(weight.value))) continue;
    replace_weight(graph, weight, graph.add_constant(*std::move(left), graph.value(weight.value).name));
    outcome.changed = true;
  }
  return outcome;
}

bool wanted(const Settings &settings) {
  return settings.get<PruneOptions>().m > 0 && !settings.get<FitOptions>().second_order;
}

} // namespace

extern const SchemeDef prune_n_of_m;
const SchemeDef prune_n_of_m{.name = name,
                             .flag = "--prune",
                             .summary = "of every M weights along the inputs the N largest stay",
                             .place = 11,
                             .learns = Learns::floats,
                             .only_flat = zeros_take_place,
                             .meets_size = true,
                             .uncodes = always,
                             .wanted = wanted,
                             .run = run};

} // namespace edgec::schemes
