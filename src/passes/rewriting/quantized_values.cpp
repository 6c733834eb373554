#include "passes/rewriting/quantized_values.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace edgec::passes {
namespace {

bool is_quantizer(const Node &node) { return node.is("QuantizeLinear"); }
bool is_dequantizer(const Node &node) { return node.is("DequantizeLinear"); }

std::optional<DType> codes_dtype(const Graph &graph, const Node &node, ValueId codes) {
  const Tensor *zero = graph.constant(node.input(2));
  if (zero) return zero->dtype;
  if (node.input(2).valid()) return std::nullopt;
  if (is_quantizer(node))
    return static_cast<DType>(node.get_int("output_dtype", static_cast<std::int64_t>(DType::uint8)));
  return graph.value(codes).type.dtype;
}

/// Values that share one scale because operators between them only move codes.
class CodeClasses {
public:
  CodeClasses(Graph &graph, const OpRegistry &ops) : graph_(graph), ops_(ops) {}
  bool run();

private:
  struct Class {
    std::set<ValueId> values;
    std::optional<Quant> quant;
    std::optional<DType> dtype;
    bool broken = false;
  };
  Graph &graph_;
  const OpRegistry &ops_;
  std::set<ValueId> seen_;

  [[nodiscard]] bool moves_codes(const Node &node) const;
  void grow(Class &members, std::vector<ValueId> &open, const Node &node) const;
  Class gather(ValueId seed);
  void agree(Class &members, const Node &border, ValueId codes) const;
  void check(Class &members, ValueId id) const;
};

bool CodeClasses::moves_codes(const Node &node) const {
  const OpDef *op = ops_.find(node);
  return op && op->codes_since > 0 && graph_.opset(node.domain) >= op->codes_since &&
         op->quant == QuantRule::same_scale;
}

void CodeClasses::grow(Class &members, std::vector<ValueId> &open, const Node &node) const {
  if (!moves_codes(node)) return;
  const OpDef &op = *ops_.find(node);
  const auto add = [&](ValueId id) {
    if (id.valid() && members.values.insert(id).second) open.push_back(id);
  };
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    if (op.data_operands.contains(i)) add(node.inputs[i]);
  for (const ValueId id : node.outputs) add(id);
}

void CodeClasses::agree(Class &members, const Node &border, ValueId codes) const {
  const auto quant = border_quant(graph_, border, codes);
  const auto dtype = codes_dtype(graph_, border, codes);
  if (!quant || !dtype || (members.quant && *members.quant != *quant)) members.broken = true;
  if (!members.quant) members.quant = quant;
  if (is_quantizer(border)) {
    if (members.dtype && dtype && *members.dtype != *dtype) members.broken = true;
    members.dtype = dtype;
  }
}

/// Who writes and reads a value must see codes in it, and the same ones.
void CodeClasses::check(Class &members, ValueId id) const {
  const Value &value = graph_.value(id);
  if (const Node *producer = graph_.producer(id)) {
    if (is_quantizer(*producer))
      agree(members, *producer, id);
    else if (!moves_codes(*producer))
      members.broken = true;
  }
  for (const Use &use : value.uses) {
    const Node &reader = graph_.node(use.node);
    if (is_dequantizer(reader) && use.index == 0)
      agree(members, reader, id);
    else if (!moves_codes(reader) || !ops_.find(reader)->data_operands.contains(use.index))
      members.broken = true;
  }
  if (value.type.quant && value.type.quant != members.quant) members.broken = true;
  const bool typed = value.type.is_tensor() && value.type.dtype != DType::undefined;
  if (typed && (!is_integer(value.type.dtype) || (members.dtype && value.type.dtype != *members.dtype)))
    members.broken = true;
  if (typed && !members.dtype) members.dtype = value.type.dtype;
}

CodeClasses::Class CodeClasses::gather(ValueId seed) {
  Class members;
  members.values.insert(seed);
  std::vector<ValueId> open{seed};
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (const Node *producer = graph_.producer(id)) grow(members, open, *producer);
    for (const Use &use : graph_.value(id).uses) {
      const Node &reader = graph_.node(use.node);
      if (moves_codes(reader) && ops_.find(reader)->data_operands.contains(use.index)) grow(members, open, reader);
    }
  }
  return members;
}

bool CodeClasses::run() {
  bool changed = false;
  for (const NodeId id : graph_.nodes()) {
    const Node &node = graph_.node(id);
    if (!is_quantizer(node) && !is_dequantizer(node)) continue;
    const ValueId seed = is_quantizer(node) ? node.outputs[0] : node.inputs[0];
    if (seen_.contains(seed)) continue;
    Class members = gather(seed);
    seen_.insert(members.values.begin(), members.values.end());
    // The dtype comes from whichever member knows it, so all are looked at twice.
    for (int round = 0; round < 2; ++round)
      for (const ValueId value : members.values) check(members, value);
    if (members.broken || !members.quant || !members.dtype) continue;
    if (members.values.size() > 1 && (!members.quant->is_per_tensor() || bits(*members.dtype) != 8)) continue;
    for (const ValueId value : members.values) {
      Type type = graph_.value(value).type;
      if (type.quant) continue;
      type.kind = Type::Kind::tensor;
      type.dtype = *members.dtype;
      type.quant = members.quant;
      graph_.set_type(value, std::move(type));
      changed = true;
    }
  }
  return changed;
}

} // namespace

std::optional<Quant> border_quant(const Graph &graph, const Node &node, ValueId codes) {
  const Tensor *scale = graph.constant(node.input(1)), *zero = graph.constant(node.input(2));
  const auto dtype = codes_dtype(graph, node, codes);
  if (!scale || scale->dtype != DType::float32 || scale->size() == 0 || !dtype || !is_integer(*dtype) ||
      bits(*dtype) > 32)
    return std::nullopt;
  if (zero && (zero->size() != scale->size() || !is_integer(zero->dtype))) return std::nullopt;
  Quant quant;
  quant.scales = to_floats(*scale);
  if (!std::ranges::all_of(quant.scales, [](float s) { return s > 0 && std::isfinite(s); })) return std::nullopt;
  quant.zero_points.assign(quant.scales.size(), 0);
  if (zero)
    std::ranges::transform(to_int64s(*zero), quant.zero_points.begin(),
                           [](auto z) { return static_cast<std::int32_t>(z); });
  const auto concrete = graph.value(codes).type.concrete();
  const auto rank = graph.value(codes).type.rank();
  quant.block = node.get_int("block_size", 0);
  // A single scale in a list is one for the whole tensor, unless the axis has but one element in it.
  std::int64_t axis = node.get_int("axis", 1);
  if (axis < 0 && rank) axis += *rank;
  const bool one_channel = scale->rank() == 1 && graph.constant(codes) && concrete && axis >= 0 &&
                           axis < static_cast<std::int64_t>(concrete->size()) &&
                           (*concrete)[static_cast<std::size_t>(axis)] == 1;
  if (scale->size() == 1 && quant.block == 0 && !one_channel) return quant;
  if (axis < 0 || !rank || axis >= *rank || (quant.block == 0 && scale->rank() != 1)) return std::nullopt;
  quant.axis = static_cast<int>(axis);
  const auto wanted = concrete && quant.block == 0 ? (*concrete)[static_cast<std::size_t>(axis)] : scale->size();
  if (quant.block < 0 || wanted != scale->size()) return std::nullopt;
  return quant;
}

bool type_codes(Graph &graph, const OpRegistry &ops) { return CodeClasses(graph, ops).run(); }

} // namespace edgec::passes
