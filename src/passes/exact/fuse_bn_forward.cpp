// Folds what scales and shifts channels into the weights of the Conv after it: BatchNormalization at inference, and
// Mul, Div, Add and Sub of one constant a channel.
//
//     a = BatchNormalization(x, scale, shift, mean, var)  y = Conv(a, w, b)
//     becomes      y = Conv(x, w', b')      with, for input channel i, k = scale[i] / sqrt(var[i] + epsilon) and
//                  t = shift[i] - k * mean[i]:      w'[o, i] = k * w[o, i]      b'[o] = b[o] + sum over i of t * w[o,
//                  i]
//
// Computed in double and rounded once. A shift goes in only where the Conv pads nothing: what it pads with is 0, not
// the shift. A weight may be made by ConstantOfShape. Not where something else reads the value between or the
// weights, types are not float or double, or a result would not be finite.
#include <algorithm>
#include <array>
#include <cmath>

#include "passes/pass.h"
#include "passes/rewriting/channel_affine.h"
#include "passes/rewriting/computed.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "fuse-bn-forward";

/// Which operand of a node is data, the other one being decided by constants.
std::size_t data_operand(const Graph &graph, const Node &node) {
  const bool commutes = node.is("Mul") || node.is("Add");
  return commutes && graph.constant(node.input(0)) ? 1 : 0;
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

/// A Conv whose weights may be changed.
struct OpenConv {
  NodeId id;
  ValueId weight, bias; // bias none: there is none
  Dims dims;            // of the weight
  std::int64_t groups;
  Channels channels; // of its data
};

std::optional<OpenConv> open_conv(const Graph &graph, NodeId id) {
  const Node &conv = graph.node(id);
  if (!conv.is("Conv") || !is_wide_float(type_of(graph, conv.input(1)))) return std::nullopt;
  OpenConv open{id, conv.inputs[1], conv.input(2), {}, conv.get_int("group", 1), {}};
  if (const auto dims = graph.value(open.weight).type.concrete()) open.dims = *dims;
  if (open.dims.size() < 3 || open.dims[0] < 1 || open.dims[1] < 1 || open.groups < 1 ||
      open.dims[0] % open.groups != 0 || !is_known_weight(graph, open.weight))
    return std::nullopt;
  open.channels = {static_cast<int>(open.dims.size()), 1, open.dims[1] * open.groups};
  const auto bias = open.bias.valid() ? reals(graph, open.bias) : std::nullopt;
  return !open.bias.valid() || (bias && std::ssize(*bias) == open.dims[0]) ? std::optional(open) : std::nullopt;
}

/// Gives the Conv its new weight and bias; false where they would not be finite.
bool rewrite(Graph &graph, const OpenConv &conv, const Affine &step, bool shifts, const OpRegistry &ops) {
  auto values = *computed_reals(graph, conv.weight, INT64_MAX, ops);
  const auto outputs = static_cast<std::size_t>(conv.dims[0]), inputs = static_cast<std::size_t>(conv.dims[1]);
  std::vector<double> bias = conv.bias.valid() ? *reals(graph, conv.bias) : std::vector<double>(outputs, 0);
  const std::size_t inner = values.size() / (outputs * inputs);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t o = i / (inner * inputs), group = o / (outputs / static_cast<std::size_t>(conv.groups));
    const std::size_t channel = group * inputs + i / inner % inputs;
    bias[o] += values[i] * step.shift[channel];
    values[i] *= step.scale[channel];
  }
  const DType dtype = graph.value(conv.weight).type.dtype;
  Tensor new_weight = from_doubles(dtype, conv.dims, values), new_bias = from_doubles(dtype, {conv.dims[0]}, bias);
  if (!all_finite(new_weight) || !all_finite(new_bias)) return false;
  graph.set_input(conv.id, 1, add_weight(graph, conv.weight, std::move(new_weight)));
  if (shifts) {
    const std::string name = conv.bias.valid() ? graph.value(conv.bias).name : "";
    graph.set_input(conv.id, 2, graph.add_constant(std::move(new_bias), name));
  }
  remove_unread_constants(graph, std::array{conv.weight, conv.bias});
  return true;
}

bool fold(Graph &graph, NodeId id, const PassContext &context) {
  const auto conv = open_conv(graph, id);
  const ValueId middle = conv ? graph.node(id).inputs[0] : ValueId{};
  const NodeId before = middle.valid() ? graph.value(middle).producer : NodeId{};
  if (!before.valid() || graph.sole_user(middle) != id || graph.value(middle).type.is_quantized()) return false;
  const Node &node = graph.node(before);
  const std::size_t operand = data_operand(graph, node);
  const ValueId x = node.input(operand);
  const auto step = channel_affine(graph, node, operand, conv->channels, context.ops);
  if (!step || graph.value(x).type.is_quantized()) return false;
  const auto &shape = graph.value(x).type.shape;
  const bool broadcast =
      !shape || std::ssize(*shape) != conv->channels.rank || (*shape)[1].size != conv->channels.count;
  if (broadcast || (graph.use_count(conv->weight) > 1 && !is_made(graph, conv->weight))) return false;
  const bool shifts = std::ranges::any_of(step->shift, [](double value) { return value != 0; });
  if (shifts && !pads_nothing(graph.node(id))) return false;
  const std::string label = node.label(), into = graph.node(id).label();
  if (!rewrite(graph, *conv, *step, shifts, context.ops)) {
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
                              "Fold BatchNormalization and factors per channel into the Conv after them", run};

} // namespace edgec::passes
