#include "schemes/int8/equalize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "ir/node_view.h"
#include "passes/channels.h"
#include "schemes/fitting/channel_bias.h"
#include "schemes/fitting/layerwise.h"

namespace edgec {
namespace {

constexpr std::array alphas{0.0, 0.25, 0.5, 0.75, 1.0};
constexpr std::array betas{0.0, 0.25, 0.5};
/// Factors beyond these bring nothing and cost bits in float16.
constexpr double least_factor = 1.0 / 64, largest_factor = 64;
constexpr double activation_levels = 255;

bool scales_with_channels(const Job &job, const Node &node) {
  const OpDef *op = job.ops.find(node);
  return op != nullptr && op->scales_with_channels && !(node.is("Flatten") && node.get_int("axis", 1) != 1);
}

std::optional<WeightInfo> scalable_weights(const Graph &graph, const Job &job, const Node &node) {
  const OpDef *op = job.ops.find(node);
  if (op == nullptr || op->as_conv == nullptr || !job.scope.allows(node)) return std::nullopt;
  const auto info = weights_of(graph, node, job.ops);
  if (!info) return std::nullopt;
  const Tensor *weight = graph.constant(node.input(info->weight));
  if (weight == nullptr || weight->dtype != DType::float32 || !weight_rows(*weight, *info)) return std::nullopt;
  if (info->bias && node.input(*info->bias).valid() && graph.constant(node.input(*info->bias)) == nullptr)
    return std::nullopt;
  if (node.get_float("alpha", 1) != 1 || node.get_float("beta", 1) != 1) return std::nullopt;
  return info;
}

/// A bias that is absent can be, too: nothing is to be scaled.
bool has_bias_per_channel(const Graph &graph, const Node &node, const WeightInfo &info) {
  const Tensor *bias = graph.constant(node.input(*info.bias));
  const auto values = channel_bias(graph, node, info);
  return values && (bias == nullptr || bias->size() == static_cast<std::int64_t>(values->size()));
}

/// Whether the layer sums over this axis of its data.
bool sums_over(const Graph &graph, const Job &job, NodeId layer, const WeightInfo &info, int axis) {
  return std::ranges::any_of(node_axes(graph, job.ops, layer).ties,
                             [&](const AxisTie &tie) { return tie.input == info.data && tie.input_axis == axis; });
}

/// Adds the weighted layers that read `value` and sum over its channels; false where something else does. Operators
/// between them are known to keep the second axis apart only.
bool find_readers(const Graph &graph, const Job &job, ValueId value, int axis,
                  std::vector<WeightTensor::Reader> &readers) {
  if (graph.is_output(value)) return false;
  for (const Use use : graph.value(value).uses) {
    const Node &node = graph.node(use.node);
    if (const auto info = scalable_weights(graph, job, node);
        info && use.index == info->data && sums_over(graph, job, use.node, *info, axis)) {
      readers.push_back({use.node, *info});
      continue;
    }
    if (axis != 1 || !scales_with_channels(job, node) || use.index != 0 || node.outputs.size() != 1) return false;
    if (!find_readers(graph, job, node.outputs[0], axis, readers)) return false;
  }
  return true;
}

/// Sum of squares, and largest magnitude in each row, of the columns that a channel of the data has in a reader.
struct ReaderColumns {
  Matrix rows;
  std::size_t channels, area, group_channels, group_rows;

  ReaderColumns(const Graph &graph, const WeightTensor::Reader &reader, std::size_t channels_)
      : rows(*weight_rows(*graph.constant(graph.node(reader.node).inputs[reader.info.weight]), reader.info)),
        channels(channels_) {
    const auto groups = static_cast<std::size_t>(reader.info.groups);
    group_rows = rows.rows / groups;
    group_channels = channels / groups;
    area = group_channels == 0 ? 0 : rows.columns / group_channels;
  }
  [[nodiscard]] bool fits() const { return area > 0 && area * group_channels == rows.columns; }

  template <class Visit>
  void for_each(Visit &&visit) { // visit(row, channel, weight &)
    for (std::size_t r = 0; r < rows.rows; ++r)
      for (std::size_t k = 0; k < rows.columns; ++k) visit(r, r / group_rows * group_channels + k / area, rows(r, k));
  }
};

double predicted_noise(std::vector<ReaderColumns> &readers, const EqualizedTensor &tensor, const ValueStatistics &seen,
                       const std::vector<double> &factors, int weight_levels) {
  double top = 0;
  for (std::size_t c = 0; c < factors.size(); ++c) top = std::max(top, seen.channel_peak[c] * factors[c]);
  const double step = (tensor.last_axis && seen.minimum < 0 ? 2 : 1) * top / activation_levels;
  double noise = 0;
  for (ReaderColumns &reader : readers) {
    std::vector<double> peaks(reader.rows.rows);
    reader.for_each(
        [&](std::size_t r, std::size_t c, double &w) { peaks[r] = std::max(peaks[r], std::abs(w) / factors[c]); });
    reader.for_each([&](std::size_t r, std::size_t c, double &w) {
      const double weight_step = peaks[r] / weight_levels;
      noise += w * w * step * step / (factors[c] * factors[c]);
      noise += weight_step * weight_step * factors[c] * factors[c] * seen.channel_power[c];
    });
  }
  return noise;
}

std::vector<double> candidate(std::vector<double> norms, const EqualizedTensor &tensor, const ValueStatistics &seen,
                              double alpha, double beta) {
  const bool bounded = tensor.clamp && std::isfinite(tensor.clamp->high);
  const double top = bounded ? tensor.clamp->high : *std::ranges::max_element(seen.channel_peak);
  const double mean_norm = std::max(1e-30, *std::ranges::max_element(norms));
  std::vector<double> factors(norms.size(), 1.0);
  for (std::size_t c = 0; c < factors.size(); ++c) {
    const double peak = seen.channel_peak[c];
    if (!(peak > 0)) continue;
    const double wish = std::pow(top / peak, alpha) * std::pow(std::max(norms[c] / mean_norm, 1e-3), beta);
    factors[c] = bounded ? std::clamp(wish, 1.0, std::max(1.0, top / peak)) : wish;
    factors[c] = std::clamp(factors[c], least_factor, largest_factor);
  }
  return factors;
}

/// Whether operand `index` is a constant of one number for each of `channels` in the last axis of a result of this
/// rank.
bool is_vector(const Graph &graph, const Node &node, std::size_t index, std::int64_t channels) {
  const Tensor *data = graph.constant(node.input(index));
  return data != nullptr && data->dtype == DType::float32 && data->size() == channels && data->rank() > 0 &&
         data->dims.back() == channels;
}

/// The constants that what a node gives is proportional to along its last axis: a normalization's, or those of Mul,
/// and of Add behind it. Empty: there are none.
std::vector<ChannelVector> last_axis_vectors(const Graph &graph, NodeId id, std::int64_t channels, int rank) {
  const Node &node = graph.node(id);
  const auto vector = [&](const Node &of) -> std::optional<std::size_t> {
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}})
      if (is_vector(graph, of, i, channels) && graph.constant(of.input(1 - i)) == nullptr &&
          graph.value(of.input(1 - i)).type.rank() == rank)
        return i;
    return std::nullopt;
  };
  if (node.is("LayerNormalization") || node.is("RMSNormalization")) {
    const std::int64_t axis = node.get_int("axis", -1);
    std::vector<ChannelVector> found;
    for (std::size_t i = 1; i < node.inputs.size(); ++i)
      if (node.inputs[i].valid()) found.push_back({id, i});
    const bool fits = (axis == -1 || axis == rank - 1) && std::ranges::all_of(found, [&](const ChannelVector &at) {
                        return is_vector(graph, node, at.index, channels);
                      });
    return fits ? found : std::vector<ChannelVector>();
  }
  const auto at = node.is("Mul") || node.is("Add") ? vector(node) : std::nullopt;
  if (!at) return {};
  if (node.is("Mul")) return {{id, *at}};
  const ValueId product = node.input(1 - *at);
  const Node *before = graph.producer(product);
  if (before == nullptr || !before->is("Mul") || graph.sole_user(product) != id) return {};
  const auto factor = vector(*before);
  return factor ? std::vector<ChannelVector>{{graph.value(product).producer, *factor}, {id, *at}}
                : std::vector<ChannelVector>();
}

/// The tensor that a normalization or a product with a constant gives; nothing where it is none.
std::optional<EqualizedTensor> normalized_tensor(const Graph &graph, const Job &job, NodeId id) {
  const Node &node = graph.node(id);
  if (node.outputs.empty() || !node.outputs[0].valid() || !job.scope.allows(node)) return std::nullopt;
  const auto &shape = graph.value(node.outputs[0]).type.shape;
  if (!shape || shape->size() < 2 || !shape->back().is_known()) return std::nullopt;
  const int rank = static_cast<int>(shape->size());
  EqualizedTensor tensor{.value = node.outputs[0], .producer = id, .last_axis = true};
  tensor.vectors = last_axis_vectors(graph, id, shape->back().size, rank);
  if (tensor.vectors.empty() || !find_readers(graph, job, tensor.value, rank - 1, tensor.readers) ||
      tensor.readers.empty())
    return std::nullopt;
  return tensor;
}

} // namespace

std::vector<EqualizedTensor> find_equalizable(const Graph &graph, const Job &job) {
  std::vector<EqualizedTensor> found;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (auto normalized = normalized_tensor(graph, job, id)) found.push_back(*std::move(normalized));
    const auto info = scalable_weights(graph, job, node);
    if (!info || !info->bias || !has_bias_per_channel(graph, node, *info)) continue;
    EqualizedTensor tensor{.value = node.outputs[0], .producer = id, .producer_weights = *info};
    if (node.input(*info->bias).valid()) tensor.vectors.push_back({id, *info->bias});
    const NodeId reader = graph.sole_user(tensor.value);
    if (reader.valid())
      if (const auto clamp = as_clamp(graph, graph.node(reader)); clamp && clamp->low == 0) {
        tensor.clamp = clamp;
        tensor.value = graph.node(reader).outputs[0];
      }
    if (find_readers(graph, job, tensor.value, 1, tensor.readers) && !tensor.readers.empty())
      found.push_back(std::move(tensor));
  }
  return found;
}

void choose_factors(const Graph &graph, std::vector<EqualizedTensor> &tensors, const RangeStatistics &statistics,
                    int weight_levels) {
  for (EqualizedTensor &tensor : tensors) {
    const auto seen = statistics.find(tensor.value);
    if (seen == statistics.end() || seen->second.channel_peak.empty()) continue;
    const std::size_t channels = seen->second.channel_peak.size();
    std::vector<ReaderColumns> readers;
    for (const auto &reader : tensor.readers) readers.emplace_back(graph, reader, channels);
    if (!std::ranges::all_of(readers, &ReaderColumns::fits)) continue;
    std::vector<double> norms(channels);
    for (ReaderColumns &reader : readers)
      reader.for_each([&](std::size_t, std::size_t c, double &w) { norms[c] += w * w; });
    for (double &norm : norms) norm = std::sqrt(norm);
    double least =
        predicted_noise(readers, tensor, seen->second, std::vector<double>(channels, 1.0), weight_levels) * (1 - 1e-9);
    for (const double alpha : alphas)
      for (const double beta : betas) {
        auto factors = candidate(norms, tensor, seen->second, alpha, beta);
        const double noise = predicted_noise(readers, tensor, seen->second, factors, weight_levels);
        if (noise < least) least = noise, tensor.factors = std::move(factors);
      }
  }
  std::erase_if(tensors, [](const EqualizedTensor &tensor) { return tensor.factors.empty(); });
}

void equalize(Graph &graph, const std::vector<EqualizedTensor> &tensors) {
  const auto replace = [&](NodeId node, std::size_t operand, Tensor data) {
    const std::string name = graph.value(graph.node(node).inputs[operand]).name;
    graph.set_input(node, operand, graph.add_constant(std::move(data), name));
  };
  const auto floats = [](const Matrix &m) { return std::vector<float>(m.data.begin(), m.data.end()); };
  for (const EqualizedTensor &tensor : tensors) {
    const std::size_t channels = tensor.factors.size();
    if (tensor.producer_weights) {
      const WeightInfo &info = *tensor.producer_weights;
      const Tensor weight = *graph.constant(graph.node(tensor.producer).inputs[info.weight]);
      Matrix rows = *weight_rows(weight, info);
      for (std::size_t r = 0; r < rows.rows; ++r)
        for (double &w : rows.row(r)) w *= tensor.factors[r % channels];
      replace(tensor.producer, info.weight, Tensor::of(weight.dims, as_stored(floats(rows), weight.dims, info)));
    }
    for (const auto &[node, index] : tensor.vectors) {
      const Tensor vector = *graph.constant(graph.node(node).inputs[index]);
      auto values = to_doubles(vector);
      for (std::size_t c = 0; c < values.size(); ++c) values[c] *= tensor.factors[c];
      replace(node, index, Tensor::of(vector.dims, std::vector<float>(values.begin(), values.end())));
    }
    for (const auto &reader : tensor.readers) {
      const Tensor read = *graph.constant(graph.node(reader.node).inputs[reader.info.weight]);
      ReaderColumns columns(graph, reader, channels);
      columns.for_each([&](std::size_t, std::size_t c, double &w) { w /= tensor.factors[c]; });
      replace(reader.node, reader.info.weight,
              Tensor::of(read.dims, as_stored(floats(columns.rows), read.dims, reader.info)));
    }
  }
}

} // namespace edgec
