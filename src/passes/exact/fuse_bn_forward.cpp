// Folds what scales and shifts channels into the weights of the Conv after it: BatchNormalization at inference, and
// Mul, Div, Add and Sub of one constant a channel.
//
//     a = BatchNormalization(x, scale, shift, mean, var)  y = Conv(a, w, b)
//     becomes      y = Conv(x, w', b')      with, for input channel i, k = scale[i] / sqrt(var[i] + epsilon) and
//                  t = shift[i] - k * mean[i]:      w'[o, i] = k * w[o, i]      b'[o] = b[o] + sum over i of t * w[o,
//                  i]
//
// Computed in double and rounded once. A shift goes in only where the Conv pads nothing: what it pads with is 0, not
// the shift. Not where something else reads the value between or the weights, types are not float or double, or a
// result would not be finite.
#include <algorithm>
#include <cmath>

#include "passes/exact/_rewrite.h"
#include "passes/pass.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "fuse-bn-forward";

/// y = scale * x + shift, an entry a channel.
struct Affine {
  std::vector<double> scale, shift;
};

/// A constant that broadcasts along axis 1 only: an entry a channel.
std::optional<std::vector<double>> per_channel(const Graph &graph, ValueId id, std::int64_t channels, int rank) {
  auto values = reals(graph, id);
  if (!values || !is_wide_float(&graph.value(id).type)) return std::nullopt;
  const Dims &dims = graph.constant(id)->dims;
  if (dims.size() > static_cast<std::size_t>(rank)) return std::nullopt;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const bool channel = i + static_cast<std::size_t>(rank) == dims.size() + 1;
    if (dims[i] != 1 && !(channel && dims[i] == channels)) return std::nullopt;
  }
  if (values->size() == 1) values->resize(static_cast<std::size_t>(channels), values->front());
  return values;
}

std::optional<Affine> batch_normalization(const Graph &graph, const Node &node, std::size_t channels) {
  if (node.outputs.size() != 1 || node.get_int("training_mode", 0) != 0) return std::nullopt;
  std::vector<std::vector<double>> given;
  for (std::size_t i = 1; i <= 4; ++i) {
    auto values = reals(graph, node.input(i));
    if (!values || values->size() != channels) return std::nullopt;
    given.push_back(std::move(*values));
  }
  Affine out;
  const double epsilon = node.get_float("epsilon", 1e-5F);
  for (std::size_t c = 0; c < channels; ++c) {
    out.scale.push_back(given[0][c] / std::sqrt(given[3][c] + epsilon));
    out.shift.push_back(given[1][c] - given[2][c] * out.scale[c]);
  }
  return out;
}

/// What `node` does to its operand `x`, if that is something a channel.
std::optional<Affine> affine(const Graph &graph, const Node &node, ValueId &x, std::int64_t channels, int rank) {
  const auto count = static_cast<std::size_t>(channels);
  x = node.input(0);
  if (node.is("BatchNormalization")) return batch_normalization(graph, node, count);
  const bool product = node.is("Mul") || node.is("Div"), sum = node.is("Add") || node.is("Sub");
  if ((!product && !sum) || node.inputs.size() != 2) return std::nullopt;
  std::size_t other = 1;
  if (graph.constant(node.inputs[0]) && (node.is("Mul") || node.is("Add"))) other = 0;
  x = node.inputs[1 - other];
  auto values = per_channel(graph, node.inputs[other], channels, rank);
  if (!values || graph.value(x).type.rank() != rank) return std::nullopt;
  for (double &value : *values) value = node.is("Div") ? 1 / value : node.is("Sub") ? -value : value;
  return product ? Affine{std::move(*values), std::vector<double>(count, 0)}
                 : Affine{std::vector<double>(count, 1), std::move(*values)};
}

bool pads_nothing(const Node &conv) {
  const std::string automatic = conv.get_string("auto_pad", "NOTSET");
  if (automatic == "VALID") return true;
  const auto pads = conv.get_ints("pads");
  return automatic == "NOTSET" && std::ranges::all_of(pads, [](std::int64_t count) { return count == 0; });
}

bool all_finite(const Tensor &tensor) {
  return std::ranges::all_of(to_doubles(tensor), [](double value) { return std::isfinite(value); });
}

/// Gives the Conv its new weight and bias; false where they would not be finite.
bool rewrite(Graph &graph, NodeId conv, const Affine &step, bool shifts) {
  const ValueId old_weight = graph.node(conv).inputs[1], old_bias = graph.node(conv).input(2);
  const Tensor weight = *graph.constant(old_weight);
  const std::int64_t outputs = weight.dims[0], inputs = weight.dims[1], groups = graph.node(conv).get_int("group", 1);
  auto values = to_doubles(weight);
  std::vector<double> bias =
      old_bias.valid() ? *reals(graph, old_bias) : std::vector<double>(static_cast<std::size_t>(outputs), 0);
  const std::size_t inner = values.size() / static_cast<std::size_t>(outputs * inputs);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t o = i / (inner * static_cast<std::size_t>(inputs));
    const std::size_t group = o / static_cast<std::size_t>(outputs / groups);
    const std::size_t channel = group * static_cast<std::size_t>(inputs) + i / inner % static_cast<std::size_t>(inputs);
    bias[o] += values[i] * step.shift[channel];
    values[i] *= step.scale[channel];
  }
  Tensor new_weight = from_doubles(weight.dtype, weight.dims, values),
         new_bias = from_doubles(weight.dtype, {outputs}, bias);
  if (!all_finite(new_weight) || !all_finite(new_bias)) return false;
  graph.set_input(conv, 1, graph.add_constant(std::move(new_weight), graph.value(old_weight).name));
  if (shifts) {
    const std::string name = old_bias.valid() ? graph.value(old_bias).name : "";
    graph.set_input(conv, 2, graph.add_constant(std::move(new_bias), name));
  }
  for (const ValueId id : {old_weight, old_bias})
    if (id.valid() && graph.use_count(id) == 0) graph.remove(id);
  return true;
}

/// A Conv whose weights may be changed.
bool is_open(const Graph &graph, const Node &conv) {
  const Tensor *weight = graph.constant(conv.input(1));
  if (!conv.is("Conv") || !weight || weight->rank() < 3 || !is_wide_float(&graph.value(conv.inputs[1]).type))
    return false;
  if (graph.use_count(conv.inputs[1]) > 1 || weight->dims[0] < 1 || weight->dims[1] < 1) return false;
  const std::int64_t groups = conv.get_int("group", 1);
  if (groups < 1 || weight->dims[0] % groups != 0) return false;
  return !conv.input(2).valid() || reals(graph, conv.inputs[2]).value_or(std::vector<double>{}).size() ==
                                       static_cast<std::size_t>(weight->dims[0]);
}

bool fold(Graph &graph, NodeId id, const PassContext &context) {
  const Node &conv = graph.node(id);
  if (!is_open(graph, conv)) return false;
  const ValueId middle = conv.inputs[0];
  const NodeId before = middle.valid() ? graph.value(middle).producer : NodeId{};
  if (!before.valid() || graph.sole_user(middle) != id || graph.value(middle).type.is_quantized()) return false;
  const Tensor &weight = *graph.constant(conv.inputs[1]);
  ValueId x;
  const auto step = affine(graph, graph.node(before), x, weight.dims[1] * conv.get_int("group", 1), weight.rank());
  const auto &shape = graph.value(x).type.shape;
  if (!step || graph.value(x).type.is_quantized() || !shape || shape->size() < 2) return false;
  if (shape->at(1).size != weight.dims[1] * conv.get_int("group", 1)) return false; // else it is broadcast
  const bool shifts = std::ranges::any_of(step->shift, [](double value) { return value != 0; });
  if (shifts && !pads_nothing(conv)) return false;
  const std::string label = graph.node(before).label(), into = conv.label();
  if (!rewrite(graph, id, *step, shifts)) {
    context.skip(pass, label, "folded into " + into + ", the weights would not be finite");
    return false;
  }
  graph.add_origins(id, std::vector(graph.node(before).origins));
  graph.set_input(id, 0, x);
  graph.remove(before);
  context.say(pass, label, "folded into " + into);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id)) continue;
    while (fold(graph, id, context)) changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef fuse_bn_forward;
const PassDef fuse_bn_forward{"fuse-bn-forward",
                              "Fold BatchNormalization and factors a channel into the Conv after them", run};

} // namespace edgec::passes
