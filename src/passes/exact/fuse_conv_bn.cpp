// Folds what scales and shifts channels into the weights and the bias of the Conv, ConvTranspose, Gemm or MatMul before
// it: BatchNormalization at inference, and Mul, Add, Sub of one constant a channel.
//
//     a = Conv(x, w, b)  y = BatchNormalization(a, scale, shift, mean, var)
//     becomes      y = Conv(x, w', b')      with, for output channel c and k = scale[c] / sqrt(var[c] + epsilon),
//                  w'[c] = k * w[c]    b'[c] = k * (b[c] - mean[c]) + shift[c]
//
// (Ioffe and Szegedy 2015, section 3.1.) Computed in double and rounded once. Not where
//  - the weight or bias is no constant, or the weight is read elsewhere too: the file would hold it twice;
//  - something else reads the weighted operator's output, or BatchNormalization trains or its statistics are read;
//  - a type is not float or double, or a result would not be finite;
//  - it shifts and the operator has no bias (MatMul).
#include <algorithm>
#include <cmath>

#include "measure/logits.h"
#include "passes/exact/_rewrite.h"
#include "passes/pass.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "fuse-conv-bn";

/// y = scale * x + shift, an entry a channel.
struct Affine {
  std::vector<double> scale, shift;
};

/// A node with constant weights, in the terms of its WeightInfo.
struct Weighted {
  NodeId id;
  WeightInfo info;
  Dims dims; // of the weight
  std::vector<double> weight, bias;
  std::int64_t channels = 0; // of the output
  int rank = 0;              // of the output
};

/// A constant that broadcasts along the output's channels only, one entry a channel.
std::optional<std::vector<double>> per_channel(const Graph &graph, ValueId id, const Weighted &weighted) {
  auto values = reals(graph, id);
  if (!values) return std::nullopt;
  const Dims &dims = graph.constant(id)->dims;
  if (dims.size() > static_cast<std::size_t>(weighted.rank)) return std::nullopt;
  const std::size_t missing = static_cast<std::size_t>(weighted.rank) - dims.size();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    const bool channel = i + missing == static_cast<std::size_t>(weighted.info.output_axis);
    if (dims[i] != 1 && !(channel && dims[i] == weighted.channels)) return std::nullopt;
  }
  if (values->size() == 1) values->resize(static_cast<std::size_t>(weighted.channels), values->front());
  return values;
}

std::optional<Weighted> weighted(const Graph &graph, NodeId id, const OpRegistry &ops) {
  const Node &node = graph.node(id);
  const OpDef *op = ops.find(node);
  if (!op || !op->weights || node.outputs.size() != 1) return std::nullopt;
  std::vector<const Type *> types;
  for (const ValueId input : node.inputs) types.push_back(type_of(graph, input));
  const auto info = op->weights(node, types);
  if (!info || !is_wide_float(type_of(graph, node.outputs[0]))) return std::nullopt;
  auto weight = reals(graph, node.input(info->weight));
  if (!weight || !is_wide_float(type_of(graph, node.input(info->weight)))) return std::nullopt;

  Weighted out{
      .id = id, .info = *info, .dims = graph.constant(node.inputs[info->weight])->dims, .weight = std::move(*weight)};
  const auto axis = static_cast<std::size_t>(info->channel_axis);
  if (axis >= out.dims.size() || info->groups < 1 || out.dims[0] % info->groups != 0) return std::nullopt;
  out.channels = out.dims[axis] * (axis == 0 ? 1 : info->groups);
  const auto rank = graph.value(node.outputs[0]).type.rank();
  if (!rank || info->output_axis >= *rank) return std::nullopt;
  out.rank = *rank;

  const ValueId bias = info->bias ? node.input(*info->bias) : ValueId{};
  out.bias.resize(static_cast<std::size_t>(out.channels));
  if (!bias.valid()) return out;
  auto given = per_channel(graph, bias, out);
  // Conv's and ConvTranspose's bias is [channels], whatever the rank of the output.
  if (!given && graph.constant(bias) && graph.constant(bias)->dims == Dims{out.channels}) given = reals(graph, bias);
  if (!given) return std::nullopt;
  for (std::size_t c = 0; c < given->size(); ++c)
    out.bias[c] = (*given)[c] * node.get_float("beta", 1); // Gemm's factor
  return out;
}

std::optional<Affine> batch_normalization(const Graph &graph, const Node &node, std::size_t channels) {
  const bool statistics = std::any_of(node.outputs.begin() + 1, node.outputs.end(),
                                      [&](ValueId id) { return id.valid() && graph.use_count(id) > 0; });
  if (statistics || node.get_int("training_mode", 0) != 0) return std::nullopt;
  const auto scale = reals(graph, node.input(1)), shift = reals(graph, node.input(2));
  const auto mean = reals(graph, node.input(3)), variance = reals(graph, node.input(4));
  for (const auto *values : {&scale, &shift, &mean, &variance})
    if (!*values || (*values)->size() != channels) return std::nullopt;
  Affine out;
  const double epsilon = node.get_float("epsilon", 1e-5F);
  for (std::size_t c = 0; c < channels; ++c) {
    out.scale.push_back((*scale)[c] / std::sqrt((*variance)[c] + epsilon));
    out.shift.push_back((*shift)[c] - (*mean)[c] * out.scale[c]);
  }
  return out;
}

bool may_be_affine(const Node &node) {
  return node.is("BatchNormalization") || node.is("Mul") || node.is("Add") || node.is("Sub");
}

/// What `node` does to the weighted operator's output, if that is something a channel.
std::optional<Affine> affine(const Graph &graph, const Node &node, const Weighted &weighted) {
  const auto channels = static_cast<std::size_t>(weighted.channels);
  const ValueId x = graph.node(weighted.id).outputs[0];
  if (node.is("BatchNormalization"))
    return node.input(0) == x ? batch_normalization(graph, node, channels) : std::nullopt;
  const bool product = node.is("Mul"), difference = node.is("Sub");
  const bool first = node.input(0) == x;
  if (difference && !first) return std::nullopt;
  auto values = per_channel(graph, node.input(first ? 1 : 0), weighted);
  if (!values) return std::nullopt;
  if (difference)
    for (double &value : *values) value = -value;
  return product ? Affine{std::move(*values), std::vector<double>(channels, 0)}
                 : Affine{std::vector<double>(channels, 1), std::move(*values)};
}

bool all(const std::vector<double> &values, double wanted) {
  return std::ranges::all_of(values, [&](double value) { return value == wanted; });
}

/// Whether the numbers are fit for the type after rounding, and no mask.
bool finite(const Tensor &tensor) { return std::ranges::none_of(to_doubles(tensor), is_endless); }

/// The folded weights, and the bias (empty: there is none).
void scale_weights(Weighted &weighted, const Affine &affine) {
  const auto axis = static_cast<std::size_t>(weighted.info.channel_axis);
  const auto size = static_cast<std::size_t>(weighted.dims[axis]);
  std::size_t inner = 1;
  for (std::size_t i = axis + 1; i < weighted.dims.size(); ++i) inner *= static_cast<std::size_t>(weighted.dims[i]);
  // Where the channel axis is not the first, that counts the groups' input channels, and a group has its own channels.
  const std::size_t group = weighted.weight.size() / static_cast<std::size_t>(weighted.info.groups);
  for (std::size_t i = 0; i < weighted.weight.size(); ++i)
    weighted.weight[i] *= affine.scale[i / inner % size + (axis == 0 ? 0 : i / group * size)];
  for (std::size_t c = 0; c < weighted.bias.size(); ++c)
    weighted.bias[c] = weighted.bias[c] * affine.scale[c] + affine.shift[c];
}

/// Gives the operator its new weights; false where they would not be finite.
bool rewrite(Graph &graph, Weighted weighted, const Affine &affine) {
  const ValueId old_weight = graph.node(weighted.id).inputs[weighted.info.weight];
  const ValueId old_bias = weighted.info.bias ? graph.node(weighted.id).input(*weighted.info.bias) : ValueId{};
  scale_weights(weighted, affine);
  const DType dtype = graph.value(old_weight).type.dtype;
  Tensor weight = from_doubles(dtype, weighted.dims, weighted.weight);
  Tensor bias = from_doubles(dtype, {weighted.channels}, weighted.bias);
  if (!finite(weight) || !finite(bias)) return false;
  if (!all(affine.scale, 1))
    graph.set_input(weighted.id, weighted.info.weight,
                    graph.add_constant(std::move(weight), graph.value(old_weight).name));
  if (old_bias.valid() || !all(weighted.bias, 0)) {
    const std::string name = old_bias.valid() ? graph.value(old_bias).name : "";
    graph.set_input(weighted.id, *weighted.info.bias, graph.add_constant(std::move(bias), name));
    graph.remove_attribute(weighted.id, "beta");
  }
  for (const ValueId id : {old_weight, old_bias})
    if (id.valid() && graph.use_count(id) == 0) graph.remove(id);
  return true;
}

/// Says why a reader of a half precision result stays: folded weights are rounded once more, which moves outputs.
void skip_half(const Graph &graph, NodeId id, NodeId reader, const PassContext &context) {
  const OpDef *op = context.ops.find(graph.node(id));
  const Type *type = type_of(graph, graph.node(id).outputs[0]);
  const bool half = type && (type->dtype == DType::float16 || type->dtype == DType::bfloat16);
  const Node &node = graph.node(reader);
  if (op && op->weights && half && (node.is("BatchNormalization") || node.is("Mul")))
    context.skip(pass, node.label(),
                 "folded, the half precision weights of " + graph.node(id).label() + " would lose digits");
}

/// Folds the only reader of a node's output into the node; false where that cannot be done.
bool fold_reader(Graph &graph, NodeId id, const PassContext &context) {
  const ValueId out = graph.node(id).outputs[0];
  const NodeId reader = out.valid() ? graph.sole_user(out) : NodeId{};
  if (!reader.valid() || !may_be_affine(graph.node(reader))) return false;
  const auto &operands = graph.node(reader).inputs; // asked first: weights are big
  if (std::ranges::none_of(operands, [&](ValueId operand) { return graph.constant(operand) != nullptr; })) return false;
  skip_half(graph, id, reader, context);
  auto before = weighted(graph, id, context.ops);
  const auto step = before ? affine(graph, graph.node(reader), *before) : std::nullopt;
  if (!step || graph.value(graph.node(reader).outputs[0]).type.is_quantized()) return false;
  if (!before->info.bias && !all(step->shift, 0)) return false;

  const std::string label = graph.node(reader).label(), into = graph.node(id).label();
  if (graph.use_count(graph.node(id).inputs[before->info.weight]) > 1 && !all(step->scale, 1)) {
    context.skip(pass, label, "the weight of " + into + " is read elsewhere too");
    return false;
  }
  if (!rewrite(graph, std::move(*before), *step)) {
    context.skip(pass, label, "folded into " + into + ", the weights would not be finite");
    return false;
  }
  absorb(graph, id, reader);
  context.say(pass, label, "folded into " + into);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id) || graph.node(id).outputs.empty()) continue;
    while (fold_reader(graph, id, context)) changed = true; // a BatchNormalization, then a Mul, then an Add ...
  }
  return changed;
}

} // namespace

extern const PassDef fuse_conv_bn;
const PassDef fuse_conv_bn{"fuse-conv-bn",
                           "Fold BatchNormalization and factors a channel into weights and bias before them", run};

} // namespace edgec::passes
