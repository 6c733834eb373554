#include "measure/sizes.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "ir/node_view.h"
#include "ir/scale_index.h"
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

/// The same of many: those with the same upper half are marked by their lower one.
std::uint64_t count_distinct(std::span<const std::uint32_t> values) {
  constexpr std::size_t halves = 1 << 16;
  std::vector<std::size_t> ends(halves + 1);
  for (const std::uint32_t value : values) ++ends[(value >> 16) + 1];
  for (std::size_t i = 0; i < halves; ++i) ends[i + 1] += ends[i];
  std::vector<std::size_t> next(ends.begin(), ends.end() - 1);
  std::vector<std::uint16_t> lower(values.size());
  for (const std::uint32_t value : values) lower[next[value >> 16]++] = static_cast<std::uint16_t>(value);
  std::vector<char> seen(halves);
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < halves; ++i) {
    const std::span group(lower.begin() + static_cast<std::ptrdiff_t>(ends[i]), ends[i + 1] - ends[i]);
    for (const std::uint16_t value : group) count += std::exchange(seen[value], 1) == 0 ? 1 : 0;
    for (const std::uint16_t value : group) seen[value] = 0;
  }
  return count;
}

std::uint64_t distinct_values(const Tensor &tensor) {
  switch (bits(tensor.dtype)) {
  case 8: return count_distinct(tensor.as<std::uint8_t>());
  case 16: return count_distinct(tensor.as<std::uint16_t>());
  case 32: {
    constexpr std::size_t many = 1 << 16; // few are sorted sooner
    const auto values = tensor.as<std::uint32_t>();
    return values.size() < many ? count_distinct<std::uint32_t>(values) : count_distinct(values);
  }
  case 64: return count_distinct(tensor.as<std::uint64_t>());
  default: {
    const auto values = to_int64s(tensor);
    return count_distinct(std::span<const std::int64_t>(values));
  }
  }
}

std::uint64_t count_zeros(const Tensor &tensor, const std::optional<Quant> &quant) {
  std::uint64_t zeros = 0;
  if (!quant && bits(tensor.dtype) >= 8) {
    const auto width = static_cast<std::size_t>(bits(tensor.dtype)) / 8;
    for_each_piece(tensor.data, [&](ByteView bytes) {
      const Tensor piece{
          tensor.dtype, {static_cast<std::int64_t>(bytes.size() / width)}, Storage(nullptr, bytes), nullptr};
      if (tensor.dtype == DType::float32)
        zeros += static_cast<std::uint64_t>(std::ranges::count(piece.as<float>(), 0.0F));
      else
        zeros += static_cast<std::uint64_t>(std::ranges::count(to_doubles(piece), 0.0));
    });
    return zeros;
  }
  if (!quant) return static_cast<std::uint64_t>(std::ranges::count(to_doubles(tensor), 0.0));
  const auto codes = to_int64s(tensor);
  const ScaleIndex index(*quant, tensor.dims);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t at = std::min(index(i), quant->zero_points.size() - 1);
    zeros += codes[i] == quant->zero_points[at] ? 1 : 0;
  }
  return zeros;
}

/// Whether elements of this type may be weights.
bool may_be_weights(const Type &type) {
  if (type.dtype == DType::string || type.dtype == DType::boolean || bits(type.dtype) > 64) return false;
  return is_float(type.dtype) || type.is_quantized() || bits(type.dtype) <= 8;
}

/// A constant where it is stored: a value of a graph, or the attribute of a Constant node.
struct Stored {
  const Tensor *data = nullptr;
  Type type;
  std::string name;
};

std::optional<Stored> stored_in(const Graph &graph, ValueId id) {
  if (!id.valid()) return std::nullopt;
  const Value &value = graph.value(id);
  if (value.data) return Stored{&*value.data, value.type, value.name};
  const Node *producer = graph.producer(id);
  const Tensor *held = producer != nullptr && producer->is("Constant") ? producer->get<Tensor>("value") : nullptr;
  if (held == nullptr) return std::nullopt;
  return Stored{held, Type::of(*held), value.name};
}

/// A graph, and what its captures are in the graph around it.
struct Scoped {
  const Graph &graph;
  const Scoped *outer = nullptr;
  std::span<const ValueId> captured = {}; // outer values, in the order of the graph's captures

  [[nodiscard]] std::optional<Stored> stored(ValueId id) const {
    const auto place = std::ranges::find(graph.captures(), id) - graph.captures().begin();
    const bool from_outside =
        outer != nullptr && static_cast<std::size_t>(place) < std::min(graph.captures().size(), captured.size());
    return from_outside ? outer->stored(captured[static_cast<std::size_t>(place)]) : stored_in(graph, id);
  }

  /// Calls `visit` for each sub-graph of a node of this graph.
  template <class F>
  void bodies(const Node &node, F visit) const {
    std::span<const ValueId> left = node.captures; // those of one sub-graph after the other
    const auto enter = [&](const SubGraph &body) {
      const std::size_t count = std::min(body->captures().size(), left.size());
      visit(Scoped{*body, this, left.first(count)});
      left = left.subspan(count);
    };
    for (const Attribute &attribute : node.attributes) {
      if (const auto *one = std::get_if<SubGraph>(&attribute.value)) enter(*one);
      if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value)) std::ranges::for_each(*many, enter);
    }
  }
};

/// Operands that set how an operator computes.
bool is_setting(const Node &node, std::size_t operand) {
  struct Settings {
    std::string_view op;
    std::size_t first, last;
  };
  static constexpr Settings settings[] = {{"QuantizeLinear", 1, 2}, {"DequantizeLinear", 1, 2}, {"MatMulInteger", 2, 3},
                                          {"ConvInteger", 2, 3},    {"Resize", 1, 3},           {"Upsample", 1, 1},
                                          {"OneHot", 1, 2}};
  return node.domain.empty() && std::ranges::any_of(settings, [&](const Settings &of) {
           return node.op == of.op && operand >= of.first && operand <= of.last;
         });
}

void count_operators(const Scoped &scope, int depth, std::map<std::string, std::size_t> &counts) {
  for (const NodeId id : scope.graph.nodes()) {
    const Node &node = scope.graph.node(id);
    ++counts[node.domain.empty() ? node.op : node.domain + ":" + node.op];
    if (depth < deepest) scope.bodies(node, [&](const Scoped &body) { count_operators(body, depth + 1, counts); });
  }
}

/// The dims of the inputs that with_unit_dims() takes as 1.
std::vector<std::string> open_dims(const Graph &graph) {
  std::vector<std::string> names;
  for (const ValueId id : graph.inputs()) {
    const auto &shape = graph.value(id).type.shape;
    for (const Dim &dim : shape ? *shape : Shape{}) {
      const std::string name = dim.symbol.empty() ? "?" : dim.symbol;
      if (!dim.is_known() && std::ranges::find(names, name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

/// "int8 weights per channel, uint8 activations": of a layer's largest weight; empty: it has none.
std::string precision_of(const LayerSizes &layer) {
  const TensorSizes *weight = nullptr;
  for (const TensorSizes &constant : layer.constants)
    if (constant.parameter && (weight == nullptr || constant.elements > weight->elements)) weight = &constant;
  if (weight == nullptr) return {};
  const auto &quant = weight->type.quant;
  const char *scales = !quant ? "" : quant->block > 0 ? " per block" : !quant->is_per_tensor() ? " per channel" : "";
  return fmt::format("{} weights{}, {} activations", name(weight->type.dtype), scales,
                     layer.data ? name(*layer.data) : "float");
}

/// Visits a graph and its sub-graphs.
struct Measuring {
  const OpRegistry &ops;
  bool count_distinct;
  GraphSizes result;
  std::unordered_map<const std::byte *, TensorSizes> known; // constants by where they lie: each is read once
  std::unordered_set<const std::byte *> weights;            // where those lie that some node reads as weights

  TensorSizes sizes(const Stored &stored) {
    const Tensor &tensor = *stored.data;
    const auto found = known.find(tensor.data.data());
    if (found != known.end() && found->second.type == stored.type) {
      TensorSizes same = found->second;
      same.name = stored.name;
      return same;
    }
    TensorSizes sizes{.name = stored.name, .type = stored.type};
    sizes.elements = static_cast<std::uint64_t>(tensor.size());
    sizes.bits = bits(tensor.dtype);
    sizes.bytes = tensor.data.size();
    sizes.parameter = may_be_weights(stored.type) && weights.contains(tensor.data.data());
    if (tensor.dtype != DType::string && sizes.bits <= 64) {
      if (count_distinct) sizes.distinct = distinct_values(tensor);
      sizes.zeros = count_zeros(tensor, stored.type.quant);
    }
    known.insert_or_assign(tensor.data.data(), sizes);
    return sizes;
  }

  void find_weights(const Scoped &scope, int depth) {
    for (const NodeId id : scope.graph.nodes()) {
      if (interrupted()) return; // nobody will look at the figures
      const Node &node = scope.graph.node(id);
      const auto info = weights_of(scope.graph, node, ops);
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const auto stored = scope.stored(node.inputs[i]);
        if (!stored || is_setting(node, i)) continue;
        const bool of_layer = info && (i == info->weight || i == info->bias);
        if (of_layer || stored->data->size() > 1) weights.insert(stored->data->data.data());
      }
      if (depth < deepest) scope.bodies(node, [&](const Scoped &body) { find_weights(body, depth + 1); });
    }
  }

  void constants(const Scoped &scope, int depth) {
    const Graph &graph = scope.graph;
    for (const ValueId id : graph.values())
      if (const auto stored = stored_in(graph, id)) result.constants.push_back(sizes(*stored));
    for (const NodeId id : graph.nodes()) {
      const Node &node = graph.node(id);
      if (depth < deepest) scope.bodies(node, [&](const Scoped &body) { constants(body, depth + 1); });
    }
  }

  void layer(const Scoped &scope, const Node &node, int depth) {
    const Graph &graph = scope.graph;
    LayerSizes layer{
        .label = node.label(), .op = node.op, .output = {}, .macs = {}, .constants = {}, .in_body = depth > 0};
    std::vector<const Type *> inputs, outputs;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id.valid() ? &graph.value(id).type : nullptr);
      if (const auto stored = scope.stored(id)) layer.constants.push_back(sizes(*stored));
    }
    for (const ValueId id : node.outputs) outputs.push_back(id.valid() ? &graph.value(id).type : nullptr);
    if (!outputs.empty() && outputs[0] != nullptr) layer.output = outputs[0]->concrete();
    layer.integer = inputs.size() > 1 && inputs[0] != nullptr && inputs[1] != nullptr && inputs[0]->is_quantized() &&
                    inputs[1]->is_quantized();
    if (const auto info = weights_of(graph, node, ops); info && inputs[info->data] != nullptr)
      layer.data = inputs[info->data]->dtype;
    add_cost(node, inputs, outputs, layer);
    const bool has_parameters = std::ranges::any_of(layer.constants, &TensorSizes::parameter);
    if (has_parameters || layer.macs.value_or(0) > 0) result.layers.push_back(std::move(layer));
    if (depth < deepest) scope.bodies(node, [&](const Scoped &body) { layers(body, depth + 1); });
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

  void layers(const Scoped &scope, int depth) {
    for (const NodeId id : scope.graph.nodes()) {
      if (interrupted()) return;
      layer(scope, scope.graph.node(id), depth);
    }
  }
};

} // namespace

std::map<std::string, std::size_t> count_operators(const Graph &graph) {
  std::map<std::string, std::size_t> counts;
  count_operators(Scoped{graph}, 0, counts);
  return counts;
}

std::size_t count_nodes(const Graph &graph) {
  std::size_t nodes = 0;
  for (const auto &[op, count] : count_operators(graph)) nodes += count;
  return nodes;
}

std::string precision_text(const GraphSizes &sizes) {
  std::map<std::string, std::size_t> counts;
  bool quantized = false;
  std::size_t layers = 0;
  for (const LayerSizes &layer : sizes.layers) {
    if (!layer.data && layer.op != "DequantizeLinear") continue; // an addition, say
    const std::string precision = precision_of(layer);
    if (precision.empty()) continue;
    ++layers;
    ++counts[precision];
    quantized = quantized || std::ranges::any_of(layer.constants, [](const TensorSizes &constant) {
                  return constant.parameter && constant.bits <= 8;
                });
  }
  if (!quantized) return {};
  std::vector<std::pair<std::string, std::size_t>> ranked(counts.begin(), counts.end());
  std::ranges::stable_sort(ranked, std::ranges::greater{}, &std::pair<std::string, std::size_t>::second);
  std::string text;
  for (const auto &[precision, count] : ranked)
    text += fmt::format("{}{}{}", text.empty() ? "" : "; ", precision,
                        ranked.size() > 1 ? fmt::format(" in {} of {} layers", count, layers) : "");
  return text;
}

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
  Measuring measuring{ops, count_distinct, {}, {}, {}};
  const Scoped stored{graph};
  measuring.find_weights(stored, 0);
  measuring.constants(stored, 0);
  const Graph sized = with_unit_dims(graph, ops);
  measuring.layers(Scoped{sized}, 0);
  GraphSizes &result = measuring.result;
  result.operators = count_operators(graph);
  result.nodes = count_nodes(graph);
  result.unit_dims = open_dims(graph);
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
