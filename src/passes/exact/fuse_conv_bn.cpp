// Folds what scales and shifts channels into the weights and the bias of the Conv, ConvTranspose, Gemm or MatMul before
// it: BatchNormalization at inference, and Mul, Div, Add, Sub of one constant a channel. BatchNormalization and
// InstanceNormalization take in what follows them, too: their scale is a weight with an element a channel.
//
//     a = Conv(x, w, b)  y = BatchNormalization(a, scale, shift, mean, var)
//     becomes      y = Conv(x, w', b')      with, for output channel c and k = scale[c] / sqrt(var[c] + epsilon),
//                  w'[c] = k * w[c]    b'[c] = k * (b[c] - mean[c]) + shift[c]
//
// (Ioffe and Szegedy 2015, section 3.1.) Computed in double and rounded once. A weight is a constant, or made of one by
// ConstantOfShape or Expand, and then the new one is made, too; what only shifts does not look at it. A weight that
// several nodes read is folded where
//  - all of them are followed by the same factors: they share the new one; or
//  - it is made, or has no more bytes than PassContext::fold_growth_limit: each gets its own.
// Not where
//  - something else reads the weighted operator's output, or BatchNormalization trains or its statistics are read;
//  - a type is not float or double, or a result would not be finite;
//  - it shifts and the operator has no bias (MatMul).
#include <algorithm>
#include <array>

#include "measure/logits.h"
#include "passes/pass.h"
#include "passes/rewriting/channel_affine.h"
#include "passes/rewriting/computed.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "fuse-conv-bn";

/// A node with weights, in the terms of its WeightInfo.
struct Weighted {
  NodeId id;
  WeightInfo info;
  ValueId weight, given_bias; // none: there is none
  Dims dims;                  // of the weight
  Channels channels;          // of the output
  std::vector<double> bias;   // zeros where there is none
};

/// What is folded into what.
struct Fold {
  Weighted weighted;
  NodeId reader;
  Affine step;
};

bool all(const std::vector<double> &values, double wanted) {
  return std::ranges::all_of(values, [&](double value) { return value == wanted; });
}
bool scales(const Fold &fold) { return !all(fold.step.scale, 1); }

std::optional<WeightInfo> weight_info(const Graph &graph, const Node &node, const OpRegistry &ops) {
  if ((node.is("BatchNormalization") && node.get_int("training_mode", 0) == 0) || node.is("InstanceNormalization"))
    return WeightInfo{.data = 0, .weight = 1, .bias = 2};
  return weights_of(graph, node, ops);
}

std::optional<Weighted> weighted(const Graph &graph, NodeId id, const OpRegistry &ops) {
  const Node &node = graph.node(id);
  const auto info = node.outputs.size() == 1 ? weight_info(graph, node, ops) : std::nullopt;
  if (!info || !is_wide_float(type_of(graph, node.outputs[0]))) return std::nullopt;
  Weighted out{.id = id, .info = *info, .weight = node.input(info->weight)};
  const Type *type = type_of(graph, out.weight);
  const auto dims = is_wide_float(type) ? type->concrete() : std::nullopt;
  const auto axis = static_cast<std::size_t>(info->channel_axis);
  if (!dims || axis >= dims->size() || info->groups < 1 || (*dims)[0] % info->groups != 0) return std::nullopt;
  out.dims = *dims;
  const auto rank = graph.value(node.outputs[0]).type.rank();
  if (!rank || info->output_axis >= *rank) return std::nullopt;
  out.channels = {*rank, info->output_axis, out.dims[axis] * (axis == 0 ? 1 : info->groups)};

  out.given_bias = info->bias ? node.input(*info->bias) : ValueId{};
  out.bias.resize(static_cast<std::size_t>(out.channels.count));
  if (!out.given_bias.valid()) return out;
  // Conv's and ConvTranspose's bias is [channels], whatever the rank of the output.
  const bool list = graph.value(out.given_bias).type.concrete() == Dims{out.channels.count};
  const auto given = list ? computed_reals(graph, out.given_bias, out.channels.count, ops)
                          : per_channel(graph, out.given_bias, out.channels, ops);
  if (!given) return std::nullopt;
  for (std::size_t c = 0; c < given->size(); ++c)
    out.bias[c] = (*given)[c] * node.get_float("beta", 1); // Gemm's factor
  return out;
}

bool may_be_affine(const Node &node) {
  return node.is("BatchNormalization") || node.is("Mul") || node.is("Div") || node.is("Add") || node.is("Sub");
}

/// Whether the numbers are fit for the type after rounding, and no mask.
bool finite(const Tensor &tensor) { return std::ranges::none_of(to_doubles(tensor), is_endless); }

/// The weight times the factors of its channels.
Tensor scaled_weight(const Graph &graph, const Weighted &weighted, std::span<const double> scale,
                     const OpRegistry &ops) {
  const auto axis = static_cast<std::size_t>(weighted.info.channel_axis);
  const auto size = static_cast<std::size_t>(weighted.dims[axis]);
  std::size_t inner = 1;
  for (std::size_t i = axis + 1; i < weighted.dims.size(); ++i) inner *= static_cast<std::size_t>(weighted.dims[i]);
  auto weight = *computed_reals(graph, weighted.weight, INT64_MAX, ops);
  // Where the channel axis is not the first, that counts the groups' input channels, and a group has its own channels.
  const std::size_t group = weight.size() / static_cast<std::size_t>(weighted.info.groups);
  for (std::size_t i = 0; i < weight.size(); ++i)
    weight[i] *= scale[i / inner % size + (axis == 0 ? 0 : i / group * size)];
  return from_doubles(graph.value(weighted.weight).type.dtype, weighted.dims, weight);
}

Tensor folded_bias(const Graph &graph, const Fold &fold) {
  std::vector<double> bias = fold.weighted.bias;
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * fold.step.scale[c] + fold.step.shift[c];
  return from_doubles(graph.value(fold.weighted.weight).type.dtype, {std::ssize(bias)}, bias);
}

/// Says why a reader of a half precision result stays: folded weights are rounded once more, which moves outputs.
void skip_half(const Graph &graph, NodeId id, NodeId reader, const PassContext &context) {
  const OpDef *op = context.ops.find(graph.node(id));
  const Type *type = type_of(graph, graph.node(id).outputs[0]);
  const bool half = type && (type->dtype == DType::float16 || type->dtype == DType::bfloat16);
  const Node &node = graph.node(reader);
  const bool by_constant = std::ranges::any_of(node.inputs, [&](ValueId operand) { return graph.constant(operand); });
  if (op && op->weights && half && by_constant && (node.is("BatchNormalization") || node.is("Mul")))
    context.skip(pass, node.label(),
                 "folded, the half precision weights of " + graph.node(id).label() + " would lose digits");
}

/// What can be folded into a node, if its weight may change.
std::optional<Fold> find_fold(const Graph &graph, NodeId id, const PassContext &context) {
  if (graph.node(id).outputs.empty()) return std::nullopt;
  const ValueId out = graph.node(id).outputs[0];
  const NodeId reader = out.valid() ? graph.sole_user(out) : NodeId{};
  if (!reader.valid() || !may_be_affine(graph.node(reader))) return std::nullopt;
  skip_half(graph, id, reader, context);
  auto into = weighted(graph, id, context.ops);
  if (!into || graph.value(graph.node(reader).outputs[0]).type.is_quantized()) return std::nullopt;
  const std::size_t operand = graph.node(reader).input(0) == out ? 0 : 1;
  auto step = channel_affine(graph, graph.node(reader), operand, into->channels, context.ops);
  if (!step || (!into->info.bias && !all(step->shift, 0))) return std::nullopt;
  Fold fold{std::move(*into), reader, std::move(*step)};
  return is_known_weight(graph, fold.weighted.weight) || !scales(fold) ? std::optional(std::move(fold)) : std::nullopt;
}

/// The folds into all nodes that read the weight of `first`, if their factors are the same and none of the nodes goes
/// into another one; none otherwise.
std::vector<Fold> folds_alike(const Graph &graph, const Fold &first, const PassContext &context) {
  const Value &weight = graph.value(first.weighted.weight);
  if (graph.use_count(first.weighted.weight) != weight.uses.size()) return {}; // it is a graph output, too
  std::vector<Fold> found;
  for (const Use &use : weight.uses) {
    auto fold = find_fold(graph, use.node, context);
    if (!fold || fold->weighted.info.weight != use.index || fold->step.scale != first.step.scale ||
        fold->weighted.info.channel_axis != first.weighted.info.channel_axis ||
        fold->weighted.info.groups != first.weighted.info.groups)
      return {};
    found.push_back(std::move(*fold));
  }
  for (const Fold &fold : found)
    if (std::ranges::any_of(found, [&](const Fold &other) { return other.reader == fold.weighted.id; })) return {};
  return found;
}

/// Whether one of several readers may get a weight of its own: the file does not hold the shared one, or it is small.
bool may_part(const Graph &graph, const Fold &fold, std::size_t limit) {
  const Tensor *weight = graph.constant(fold.weighted.weight);
  return !weight || byte_size(weight->dtype, weight->size()) <= limit;
}

/// Folds one reader: `weight`, if valid, is the new weight.
void apply(Graph &graph, const Fold &fold, ValueId weight, Tensor bias) {
  const Weighted &into = fold.weighted;
  if (weight.valid()) graph.set_input(into.id, into.info.weight, weight);
  if (into.given_bias.valid() || std::ranges::any_of(to_doubles(bias), [](double value) { return value != 0; })) {
    const std::string name = into.given_bias.valid() ? graph.value(into.given_bias).name : "";
    graph.set_input(into.id, *into.info.bias, graph.add_constant(std::move(bias), name));
    graph.remove_attribute(into.id, "beta");
  }
  remove_unread_constants(graph, std::array{into.weight, into.given_bias});
  absorb(graph, into.id, fold.reader);
}

/// Folds the only reader of a node's output into the node, and readers that go with it; false where that cannot be
/// done.
bool fold_reader(Graph &graph, NodeId id, const PassContext &context) {
  auto first = find_fold(graph, id, context);
  if (!first) return false;
  const auto into = [&](const Fold &fold) { return graph.node(fold.weighted.id).label(); };
  std::vector<Fold> folds;
  if (scales(*first)) folds = folds_alike(graph, *first, context);
  if (folds.empty()) {
    const bool shared = scales(*first) && graph.use_count(first->weighted.weight) > 1;
    if (shared && !may_part(graph, *first, context.fold_growth_limit)) {
      context.skip(pass, graph.node(first->reader).label(), "the weight of " + into(*first) + " is read elsewhere too");
      return false;
    }
    folds.push_back(std::move(*first));
  }
  std::optional<Tensor> weight;
  if (scales(folds.front()))
    weight = scaled_weight(graph, folds.front().weighted, folds.front().step.scale, context.ops);
  std::vector<Tensor> biases;
  for (const Fold &fold : folds) {
    biases.push_back(folded_bias(graph, fold));
    if (finite(biases.back()) && (!weight || finite(*weight))) continue;
    context.skip(pass, graph.node(fold.reader).label(),
                 "folded into " + into(fold) + ", the weights would not be finite");
    return false;
  }
  const ValueId stored = weight ? add_weight(graph, folds.front().weighted.weight, std::move(*weight)) : ValueId{};
  for (std::size_t i = 0; i < folds.size(); ++i) {
    context.say(pass, graph.node(folds[i].reader).label(), "folded into " + into(folds[i]));
    apply(graph, folds[i], stored, std::move(biases[i]));
  }
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id)) continue;
    while (fold_reader(graph, id, context)) changed = true; // a BatchNormalization, then a Mul, then an Add ...
  }
  return changed;
}

} // namespace

extern const PassDef fuse_conv_bn;
const PassDef fuse_conv_bn{"fuse-conv-bn",
                           "Fold BatchNormalization and factors per channel into weights and bias before them", run};

} // namespace edgec::passes
