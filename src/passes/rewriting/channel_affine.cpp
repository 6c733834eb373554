#include "passes/rewriting/channel_affine.h"

#include <algorithm>
#include <cmath>

#include "passes/rewriting/computed.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

std::optional<Affine> batch_normalization(const Graph &graph, const Node &node, std::int64_t channels,
                                          const OpRegistry &ops) {
  const bool statistics = std::any_of(node.outputs.begin() + 1, node.outputs.end(),
                                      [&](ValueId id) { return id.valid() && graph.use_count(id) > 0; });
  if (statistics || node.get_int("training_mode", 0) != 0) return std::nullopt;
  std::vector<std::vector<double>> given; // scale, shift, mean, variance
  for (std::size_t i = 1; i <= 4; ++i) {
    auto values = computed_reals(graph, node.input(i), channels, ops);
    if (!values || std::ssize(*values) != channels) return std::nullopt;
    given.push_back(std::move(*values));
  }
  Affine out;
  const double epsilon = node.get_float("epsilon", 1e-5F);
  for (std::size_t c = 0; c < given[0].size(); ++c) {
    out.scale.push_back(given[0][c] / std::sqrt(given[3][c] + epsilon));
    out.shift.push_back(given[1][c] - given[2][c] * out.scale[c]);
  }
  return out;
}

/// The smallest tensor that Expand makes `whole` of: axes along which all elements are equal have one index.
Tensor without_repeats(const Tensor &whole) {
  auto elements = to_doubles(whole);
  Dims dims = whole.dims;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    const auto size = static_cast<std::size_t>(dims[axis]);
    const auto inner = static_cast<std::size_t>(*element_count(std::span(dims).subspan(axis + 1)));
    std::vector<double> first;
    bool repeats = true;
    for (std::size_t i = 0; repeats && i < elements.size(); ++i) {
      if (i / inner % size == 0) first.push_back(elements[i]);
      repeats = elements[i] == elements[i - i / inner % size * inner];
    }
    if (!repeats || size < 2) continue;
    elements = std::move(first);
    dims[axis] = 1;
  }
  return from_doubles(whole.dtype, dims, elements);
}

} // namespace

std::optional<std::vector<double>> per_channel(const Graph &graph, ValueId id, const Channels &channels,
                                               const OpRegistry &ops) {
  const Type *type = type_of(graph, id);
  const auto dims = type ? type->concrete() : std::nullopt;
  if (!dims || std::ssize(*dims) > channels.rank) return std::nullopt;
  for (std::size_t i = 0; i < dims->size(); ++i) {
    const bool channel = static_cast<std::int64_t>(i) + channels.rank == std::ssize(*dims) + channels.axis;
    if ((*dims)[i] != 1 && !(channel && (*dims)[i] == channels.count)) return std::nullopt;
  }
  auto values = computed_reals(graph, id, std::max<std::int64_t>(channels.count, 1), ops);
  if (values && values->size() == 1) values->resize(static_cast<std::size_t>(channels.count), values->front());
  return values;
}

std::optional<Affine> channel_affine(const Graph &graph, const Node &node, std::size_t operand,
                                     const Channels &channels, const OpRegistry &ops) {
  if (node.is("BatchNormalization"))
    return operand == 0 ? batch_normalization(graph, node, channels.count, ops) : std::nullopt;
  const bool product = node.is("Mul") || node.is("Div"), sum = node.is("Add") || node.is("Sub");
  const bool commutes = node.is("Mul") || node.is("Add");
  if ((!product && !sum) || node.inputs.size() != 2 || (!commutes && operand != 0)) return std::nullopt;
  auto values = per_channel(graph, node.inputs[1 - operand], channels, ops);
  if (!values) return std::nullopt;
  for (double &value : *values) value = node.is("Div") ? 1 / value : node.is("Sub") ? -value : value;
  const auto count = static_cast<std::size_t>(channels.count);
  return product ? Affine{std::move(*values), std::vector<double>(count, 0)}
                 : Affine{std::vector<double>(count, 1), std::move(*values)};
}

bool is_known_weight(const Graph &graph, ValueId weight) {
  return graph.constant(weight) ? !graph.value(weight).type.is_quantized() : is_made(graph, weight);
}

ValueId add_weight(Graph &graph, ValueId old, Tensor weight) {
  if (graph.constant(old)) return graph.add_constant(std::move(weight), graph.value(old).name);
  const NodeId maker = graph.value(old).producer;
  const Dims dims = weight.dims;
  Node expand{.op = "Expand", .name = graph.node(maker).name, .origins = graph.node(maker).origins};
  expand.inputs = {graph.add_constant(without_repeats(weight)),
                   graph.add_constant(Tensor::of({std::ssize(dims)}, dims))};
  return graph.add_op(std::move(expand), graph.value(old).type, maker);
}

void remove_unread_constants(Graph &graph, std::span<const ValueId> values) {
  for (const ValueId id : values)
    if (id.valid() && graph.alive(id) && graph.constant(id) && graph.use_count(id) == 0) graph.remove(id);
}

} // namespace edgec::passes
