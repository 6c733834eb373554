#include "measure/sizes.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <unordered_map>

#include "support/cancel.h"
#include "support/file.h"

namespace edgec {
namespace {

constexpr int deepest = 32; // of nested sub-graphs

template <class T>
std::uint64_t count_distinct(std::span<const T> values) {
  if constexpr (sizeof(T) == 1) {
    std::vector<bool> seen(256);
    for (const T value : values) seen[static_cast<std::uint8_t>(value)] = true;
    return static_cast<std::uint64_t>(std::ranges::count(seen, true));
  } else {
    std::vector<T> sorted(values.begin(), values.end());
    std::ranges::sort(sorted);
    return static_cast<std::uint64_t>(std::unique(sorted.begin(), sorted.end()) - sorted.begin());
  }
}

std::uint64_t distinct_values(const Tensor &tensor) {
  switch (bits(tensor.dtype)) {
  case 8: return count_distinct(tensor.as<std::uint8_t>());
  case 16: return count_distinct(tensor.as<std::uint16_t>());
  case 32: return count_distinct(tensor.as<std::uint32_t>());
  case 64: return count_distinct(tensor.as<std::uint64_t>());
  default: {
    const auto values = to_int64s(tensor);
    return count_distinct(std::span<const std::int64_t>(values));
  }
  }
}

/// Index of the scale that element i uses: per tensor, per channel or per block.
struct ScaleIndex {
  std::int64_t inner = 1, axis = 1, block = 1, per_axis = 1;
  bool one = true;

  ScaleIndex(const Quant &quant, const Dims &dims) {
    if (quant.zero_points.size() <= 1 || quant.axis < 0 || quant.axis >= static_cast<int>(dims.size())) return;
    one = false;
    for (auto d = static_cast<std::size_t>(quant.axis) + 1; d < dims.size(); ++d) inner *= dims[d];
    axis = dims[static_cast<std::size_t>(quant.axis)];
    block = std::max<std::int64_t>(1, quant.block);
    per_axis = (axis + block - 1) / block;
  }
  [[nodiscard]] std::size_t operator()(std::int64_t element) const {
    if (one) return 0;
    const std::int64_t along = element / inner % axis;
    if (block == 1) return static_cast<std::size_t>(along);
    return static_cast<std::size_t>((element / inner / axis * per_axis + along / block) * inner + element % inner);
  }
};

std::uint64_t count_zeros(const Tensor &tensor, const std::optional<Quant> &quant) {
  std::uint64_t zeros = 0;
  if (!quant && bits(tensor.dtype) >= 8) {
    const auto width = static_cast<std::size_t>(bits(tensor.dtype)) / 8;
    for_each_piece(tensor.data, [&](ByteView bytes) {
      const Tensor piece{tensor.dtype, {static_cast<std::int64_t>(bytes.size() / width)}, Storage(nullptr, bytes), nullptr};
      if (tensor.dtype == DType::float32) zeros += static_cast<std::uint64_t>(std::ranges::count(piece.as<float>(), 0.0F));
      else zeros += static_cast<std::uint64_t>(std::ranges::count(to_doubles(piece), 0.0));
    });
    return zeros;
  }
  if (!quant) return static_cast<std::uint64_t>(std::ranges::count(to_doubles(tensor), 0.0));
  const auto codes = to_int64s(tensor);
  const ScaleIndex index(*quant, tensor.dims);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t at = std::min(index(static_cast<std::int64_t>(i)), quant->zero_points.size() - 1);
    zeros += codes[i] == quant->zero_points[at] ? 1 : 0;
  }
  return zeros;
}

TensorSizes sizes_of(const Value &value, bool count_distinct) {
  const Tensor &tensor = *value.data;
  TensorSizes sizes;
  sizes.name = value.name;
  sizes.type = value.type;
  sizes.elements = static_cast<std::uint64_t>(tensor.size());
  sizes.bits = bits(tensor.dtype);
  sizes.bytes = tensor.data.size();
  if (tensor.dtype == DType::string) return sizes;
  sizes.parameter = is_float(tensor.dtype) || value.type.is_quantized() || sizes.bits <= 8;
  if (tensor.dtype == DType::boolean || sizes.bits > 64) sizes.parameter = false;
  if (sizes.bits <= 64) {
    if (count_distinct) sizes.distinct = distinct_values(tensor);
    sizes.zeros = count_zeros(tensor, value.type.quant);
  }
  return sizes;
}

/// Visits a graph and its sub-graphs.
struct Measuring {
  const OpRegistry &ops;
  bool count_distinct;
  GraphSizes result;
  std::unordered_map<const std::byte *, TensorSizes> known; // constants by where they lie: each is read once

  std::vector<SubGraph> subgraphs(const Node &node) {
    std::vector<SubGraph> found;
    for (const Attribute &attribute : node.attributes) {
      if (const auto *one = std::get_if<SubGraph>(&attribute.value)) found.push_back(*one);
      if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value))
        found.insert(found.end(), many->begin(), many->end());
    }
    return found;
  }

  TensorSizes sizes(const Value &value) {
    const auto found = known.find(value.data->data.data());
    if (found != known.end() && found->second.type == value.type) {
      TensorSizes same = found->second;
      same.name = value.name;
      return same;
    }
    TensorSizes made = sizes_of(value, count_distinct);
    known.insert_or_assign(value.data->data.data(), made);
    return made;
  }

  void constants(const Graph &graph, int depth) {
    for (const ValueId id : graph.values()) {
      if (interrupted()) return; // nobody will look at the figures
      if (graph.constant(id) != nullptr) result.constants.push_back(sizes(graph.value(id)));
    }
    for (const NodeId id : graph.nodes()) {
      const Node &node = graph.node(id);
      ++result.nodes;
      ++result.operators[node.domain.empty() ? node.op : node.domain + ":" + node.op];
      if (depth >= deepest) continue;
      for (const SubGraph &sub : subgraphs(node)) constants(*sub, depth + 1);
    }
  }

  void layer(const Graph &graph, const Node &node, int depth) {
    LayerSizes layer{
        .label = node.label(), .op = node.op, .output = std::nullopt, .macs = std::nullopt, .constants = {}};
    std::vector<const Type *> inputs, outputs;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id.valid() ? &graph.value(id).type : nullptr);
      if (graph.constant(id) != nullptr) layer.constants.push_back(sizes(graph.value(id)));
    }
    for (const ValueId id : node.outputs) outputs.push_back(id.valid() ? &graph.value(id).type : nullptr);
    if (!outputs.empty() && outputs[0] != nullptr) layer.output = outputs[0]->concrete();
    layer.integer = inputs.size() > 1 && inputs[0] != nullptr && inputs[1] != nullptr && inputs[0]->is_quantized() &&
                    inputs[1]->is_quantized();
    add_cost(node, inputs, outputs, layer);
    const bool has_parameters = std::ranges::any_of(layer.constants, &TensorSizes::parameter);
    if (has_parameters || layer.macs.value_or(0) > 0) result.layers.push_back(std::move(layer));
    if (depth >= deepest) return;
    for (const SubGraph &sub : subgraphs(node)) layers(*sub, depth + 1);
  }

  void add_cost(const Node &node, std::span<const Type *const> inputs, std::span<const Type *const> outputs,
                LayerSizes &layer) {
    const OpDef *op = ops.find(node);
    if (op == nullptr || op->cost == nullptr) return;
    const auto is_concrete = [](const Type *type) { return type == nullptr || type->concrete().has_value(); };
    if (!std::ranges::all_of(inputs, is_concrete) || !std::ranges::all_of(outputs, is_concrete)) {
      ++result.macs_unknown;
      return;
    }
    layer.macs = op->cost(node, inputs, outputs).macs;
    result.macs += *layer.macs;
  }

  void layers(const Graph &graph, int depth) {
    for (const NodeId id : graph.nodes()) {
      if (interrupted()) return;
      layer(graph, graph.node(id), depth);
    }
  }
};

} // namespace

Graph with_unit_dims(const Graph &graph, const OpRegistry &ops) {
  Graph copy = graph;
  for (const ValueId id : copy.inputs()) {
    Type type = copy.value(id).type;
    if (!type.shape) continue;
    for (Dim &dim : *type.shape) {
      if (!dim.is_known()) dim = Dim::known(1);
    }
    copy.set_type(id, type);
  }
  return infer_types(copy, ops) ? copy : graph;
}

GraphSizes measure_sizes(const Graph &graph, const OpRegistry &ops, bool count_distinct) {
  Measuring measuring{ops, count_distinct, {}, {}};
  measuring.constants(graph, 0);
  measuring.layers(with_unit_dims(graph, ops), 0);
  GraphSizes &result = measuring.result;
  for (const TensorSizes &constant : result.constants) {
    result.constant_bytes += constant.bytes;
    if (!constant.parameter) continue;
    result.parameters += constant.elements;
    result.nonzero_parameters += constant.elements - constant.zeros;
    result.parameter_bytes += constant.bytes;
  }
  return std::move(measuring.result);
}

} // namespace edgec
