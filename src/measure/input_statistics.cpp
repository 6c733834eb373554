#include "measure/input_statistics.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "runtime/plan.h"

namespace edgec {
namespace {

constexpr std::size_t mean_input = 3, variance_input = 4;

/// The first BatchNormalization in the order of the nodes: nothing above it is one.
NodeId first_batch_norm(const Graph &graph) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (node.op == "BatchNormalization" && node.domain.empty() && node.inputs.size() > variance_input &&
        graph.constant(node.inputs[mean_input]) && graph.constant(node.inputs[variance_input]))
      return id;
  }
  return {};
}

struct Sums {
  std::vector<double> sum, square;
  double count = 0; // a channel

  /// Of a tensor [N, C, ...].
  void add(const Tensor &tensor) {
    const auto values = to_floats(tensor);
    const std::size_t channels = sum.size(), rows = static_cast<std::size_t>(tensor.dims[0]);
    const std::size_t plane = values.size() / std::max<std::size_t>(rows * channels, 1);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t channel = i / plane % channels;
      sum[channel] += values[i];
      square[channel] += static_cast<double>(values[i]) * values[i];
    }
    count += static_cast<double>(rows * plane);
  }
};

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

std::optional<InputStatistics> compare(const std::string &node, const Sums &sums, std::span<const float> means,
                                       std::span<const float> variances) {
  constexpr double few = 16; // values of a channel that say nothing of its variance yet
  if (sums.count < few) return std::nullopt;
  std::vector<double> divergences, shifts, spreads;
  const double widest = *std::ranges::max_element(variances);
  for (std::size_t c = 0; c < means.size(); ++c) {
    const double own = variances[c], least = 1e-6 * own;
    if (!(own > 1e-6 * widest)) continue; // a channel that said nothing in training
    const double mean = sums.sum[c] / sums.count, away = (mean - means[c]) * (mean - means[c]) / own;
    const double ratio = std::max(sums.square[c] / sums.count - mean * mean, least) / own;
    divergences.push_back((ratio + away - 1 - std::log(ratio)) / 2);
    shifts.push_back(std::sqrt(away));
    spreads.push_back(std::sqrt(ratio));
  }
  if (divergences.empty()) return std::nullopt;
  return InputStatistics{node, median(std::move(divergences)), median(std::move(shifts)), median(std::move(spreads))};
}

} // namespace

std::optional<InputStatistics> compare_with_batch_norm(const Graph &graph, const OpRegistry &ops,
                                                       const SampleSet &samples, std::span<const std::size_t> indices,
                                                       Isa isa) {
  const NodeId id = first_batch_norm(graph);
  if (id == NodeId{} || indices.empty()) return std::nullopt;
  const Node &node = graph.node(id);
  const auto means = to_floats(*graph.constant(node.inputs[mean_input]));
  const auto variances = to_floats(*graph.constant(node.inputs[variance_input]));
  if (means.empty() || means.size() != variances.size()) return std::nullopt;
  PlanOptions plan;
  plan.isa = isa;
  plan.fetches = {node.inputs.front()};
  Runner runner(graph, ops, plan);
  Sums sums{std::vector<double>(means.size()), std::vector<double>(means.size())};
  for (const std::size_t index : indices) {
    const auto sample = samples.load(index);
    const auto values = sample ? runner.run_tensors(*sample) : Result<std::vector<Tensor>>(sample.error());
    if (!values) return std::nullopt; // said where the whole network is run
    const Tensor &value = values->front();
    if (value.rank() < 2 || value.dims[1] != static_cast<std::int64_t>(means.size()) || value.size() == 0)
      return std::nullopt;
    sums.add(value);
  }
  return compare(node.label(), sums, means, variances);
}

bool InputStatistics::unlike_training() const {
  // Image and speech networks with the right inputs: 0.01 to 0.07, or 0.5 with other means; with pixels of 0 .. 255 for
  // 0 .. 1: beyond 2000. Values that are too small say less, 1 to 5: a few dark pictures are so, too.
  constexpr double bound = 3;
  return !(divergence <= bound);
}

} // namespace edgec
