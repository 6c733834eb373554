#include "schemes/int8/uncoded.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "ir/clamp.h"
#include "ir/evaluate.h"
#include "ir/node_view.h"
#include "schemes/dynamic/undo.h"
#include "schemes/fitting/weights.h"

namespace edgec {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

NumberSpec number_of(DType dtype, bool symmetric) {
  NumberSpec number{.bits = bits(dtype), .symmetric = symmetric, .has_sign = is_signed_integer(dtype)};
  number.narrow = symmetric && number.bits >= 8;
  return number;
}

const std::optional<Quant> &quant_of(const Graph &graph, ValueId id) { return graph.value(id).type.quant; }

bool has_codes(const Graph &graph, ValueId id) { return id.valid() && quant_of(graph, id).has_value(); }

/// Codes behind an operand that is a constant of codes, or the reals of one; nothing: it is neither.
ValueId constant_codes(const Graph &graph, ValueId operand) {
  if (!operand.valid()) return {};
  if (graph.constant(operand) != nullptr) return has_codes(graph, operand) ? operand : ValueId{};
  const Node *dequantize = graph.producer(operand);
  if (dequantize == nullptr || !dequantize->is("DequantizeLinear")) return {};
  const ValueId codes = dequantize->inputs[0];
  return graph.constant(codes) != nullptr && has_codes(graph, codes) ? codes : ValueId{};
}

/// Whether a float value is the reals of codes, or moved ones.
bool reads_reals_of_codes(const Graph &graph, ValueId id, const OpRegistry &ops) {
  for (const Node *at = graph.producer(id); at != nullptr; at = graph.producer(at->inputs[0])) {
    if (at->is("DequantizeLinear")) return has_codes(graph, at->inputs[0]);
    const OpDef *op = ops.find(*at);
    if (op == nullptr || !op->moves_data || at->inputs.empty() || !at->inputs[0].valid()) return false;
  }
  return false;
}

/// Where values of a type saturate.
Clamp ends_of(const Type &type) {
  const auto [low, high] = integer_range(type.dtype);
  const auto real = [&](std::int64_t code) {
    return static_cast<float>(code - type.quant->zero_point()) * type.quant->scale();
  };
  return {real(low), real(high)};
}

/// Those of a Relu or Relu6 that became saturation; infinite where it does not look like one.
Clamp activation_ends(const Type &type) {
  constexpr float relu6 = 6;
  const Clamp ends = ends_of(type);
  if (ends.low != 0) return {-infinity, infinity};
  return {0, std::abs(ends.high - relu6) < type.quant->scale() ? relu6 : infinity};
}

bool are_open(Clamp ends) { return std::isinf(ends.low) && std::isinf(ends.high); }

class Uncoder {
public:
  Uncoder(Graph &graph, const OpRegistry &ops, Saturation saturation)
      : codes_(graph), graph_(graph), ops_(ops), saturation_(saturation), kinds_(code_kinds(graph, ops)) {}

  Result<KeptCodes> run() {
    EDGEC_CHECK(check_values());
    for (const NodeId id : codes_.nodes()) convert(id);
    graph_.remove_dead();
    EDGEC_CHECK(graph_.sort());
    EDGEC_CHECK(infer_types(graph_, ops_));
    return std::move(kept_);
  }

private:
  const Graph codes_; // shares its tensors
  Graph &graph_;
  const OpRegistry &ops_;
  Saturation saturation_;
  const CodeKinds kinds_;
  KeptCodes kept_;
  std::map<ValueId, ValueId> reals_; // constants of codes -> those of reals

  [[nodiscard]] Status check_values() const {
    const auto refuse = [&](ValueId id, std::string_view end) {
      return unsupported(fmt::format("{} {} is codes: a network is compressed further where its inputs and outputs are "
                                     "plain numbers",
                                     end, codes_.value(id).name));
    };
    for (const ValueId id : codes_.inputs())
      if (has_codes(codes_, id)) return refuse(id, "input");
    for (const auto &output : codes_.outputs())
      if (has_codes(codes_, output.value)) return refuse(output.value, "output");
    for (const ValueId id : codes_.values())
      if (codes_.constant(id) == nullptr && has_codes(codes_, id) && !quant_of(codes_, id)->is_per_tensor())
        return unsupported(fmt::format("value {} has a scale for each channel: a network is compressed further where "
                                       "its values have one",
                                       codes_.value(id).name));
    return {};
  }

  void convert(NodeId id) {
    const Node &node = codes_.node(id);
    if (node.is("QuantizeLinear") && has_codes(codes_, node.outputs[0])) return quantize(id);
    if (node.is("DequantizeLinear") && has_codes(codes_, node.inputs[0])) return dequantize(id);
    compute(id);
  }

  /// Notes that the reals of `value` had these codes. What has others already gets a name for these.
  ValueId keep(ValueId value, ValueId codes) {
    const auto [at, fresh] = kept_.values.try_emplace(value, kept_of(codes));
    if (fresh || at->second.quant == *quant_of(codes_, codes)) return value;
    const ValueId copy = graph_.add_op({.op = "Identity", .inputs = {value}}, graph_.value(value).type);
    kept_.values[copy] = kept_of(codes);
    return copy;
  }

  void quantize(NodeId id) {
    const ValueId codes = codes_.node(id).outputs[0];
    ValueId reals = graph_.node(id).inputs[0];
    const Node *giver = graph_.producer(reals);
    const Clamp ends = kept_ends(codes_.value(codes).type);
    if (giver != nullptr && !as_clamp(graph_, *giver) && !are_open(ends)) {
      kept_.values.try_emplace(reals, kept_of(codes)); // saturation may do the Clip's work
      reals = graph_.add_op(clip_of(reals, ends), Type(graph_.value(reals).type));
      note_end(graph_.value(reals).producer);
    }
    graph_.replace_uses(codes, keep(reals, codes));
    graph_.remove(id);
  }

  [[nodiscard]] KeptCodes::Value kept_of(ValueId codes) const {
    const Type &type = codes_.value(codes).type;
    return {number_of(type.dtype, false), *type.quant};
  }

  [[nodiscard]] Clamp kept_ends(const Type &type) const {
    return saturation_ == Saturation::kept ? ends_of(type) : activation_ends(type);
  }

  Node clip_of(ValueId reals, Clamp ends) {
    Node clip{.op = "Clip", .inputs = {reals}};
    for (const double end : {ends.low, ends.high})
      clip.inputs.push_back(std::isinf(end) ? ValueId{} : graph_.add_constant(Tensor::scalar(static_cast<float>(end))));
    if (!clip.inputs.back().valid()) clip.inputs.pop_back();
    return clip;
  }

  void note_end(NodeId clip) {
    kept_.nodes.insert(clip);
    kept_.ends.insert(clip);
  }

  void dequantize(NodeId id) {
    const Node &node = codes_.node(id);
    const bool constant = codes_.constant(node.inputs[0]) != nullptr;
    if (constant && !stands_for_layer_weights(node.outputs[0])) return;
    if (constant)
      for (const Use &use : codes_.value(node.outputs[0]).uses)
        note_weights(use.node, *weights_of(codes_, codes_.node(use.node), ops_));
    graph_.replace_uses(node.outputs[0], constant ? reals_of(node.inputs[0]) : graph_.node(id).inputs[0]);
    graph_.remove(id);
  }

  /// Whether nothing reads it but as weights or biases of layers that get codes again.
  [[nodiscard]] bool stands_for_layer_weights(ValueId reals) const {
    const auto gets_codes = [&](const Use &use) {
      const Node &reader = codes_.node(use.node);
      const auto info = weights_of(codes_, reader, ops_);
      if (!info || (use.index != info->weight && use.index != info->bias)) return false;
      const ValueId data = reader.input(info->data);
      return kinds_.values == 0 || has_codes(codes_, data) || reads_reals_of_codes(codes_, data, ops_);
    };
    return !codes_.is_output(reals) && std::ranges::all_of(codes_.value(reals).uses, gets_codes);
  }

  void note_weights(NodeId id, const WeightInfo &info) {
    const ValueId codes = constant_codes(codes_, codes_.node(id).input(info.weight));
    if (!codes.valid()) return;
    kept_.weights[id] = number_of(codes_.value(codes).type.dtype, true);
    kept_.nodes.insert(id);
  }

  ValueId reals_of(ValueId codes) {
    auto &known = reals_[codes];
    if (!known.valid())
      known = graph_.add_constant(edgec::dequantize(*codes_.constant(codes), *quant_of(codes_, codes)),
                                  codes_.value(codes).name);
    return known;
  }

  /// An operator of the same name computes on reals; what its codes could not hold is clipped as they did.
  void compute(NodeId id) {
    const Node &node = codes_.node(id);
    const OpDef *op = ops_.find(node);
    const auto info = weights_of(codes_, node, ops_);
    bool coded = false;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId x = node.inputs[i];
      coded |= has_codes(codes_, x);
      if (!has_codes(codes_, x) || codes_.constant(x) == nullptr) continue;
      const ValueId reals = reals_of(x);
      graph_.set_input(id, i, reals);
      if (!info || (i != info->weight && i != info->bias)) keep(reals, x);
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (!has_codes(codes_, node.outputs[i])) continue;
      coded = true;
      give_reals(id, i, op != nullptr && op->quant == QuantRule::own_scale);
    }
    if (!coded) return;
    if (shares_scales(node)) kept_.nodes.insert(id);
    if (info) note_weights(id, *info);
  }

  void give_reals(NodeId id, std::size_t index, bool saturates) {
    const ValueId y = codes_.node(id).outputs[index];
    const Type &type = codes_.value(y).type;
    const Type reals = Type::tensor(DType::float32, type.shape);
    graph_.set_type(y, reals);
    kept_.values[y] = kept_of(y);
    const Clamp ends = kept_ends(type);
    if (!saturates || are_open(ends)) return;
    const ValueId unclipped = graph_.detach_output(id, index, reals);
    kept_.values[unclipped] = kept_.values[y]; // saturation may do the Clip's work
    Node clip = clip_of(unclipped, ends);
    clip.outputs = {y};
    note_end(graph_.add_node(std::move(clip)));
  }

  /// Whether the codes that a node reads and gives have the scales that its operator asks for: some tools' have not.
  [[nodiscard]] bool shares_scales(const Node &node) const {
    const OpDef *op = ops_.find(node);
    if (op == nullptr || op->quant != QuantRule::same_scale || !has_codes(codes_, node.outputs[0])) return true;
    const Quant &given = *quant_of(codes_, node.outputs[0]);
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (op->data_operands.contains(i) && has_codes(codes_, node.inputs[i]) &&
          *quant_of(codes_, node.inputs[i]) != given)
        return false;
    return true;
  }
};

} // namespace

CodeKinds code_kinds(const Graph &graph, const OpRegistry &ops) {
  CodeKinds found;
  for (const ValueId id : graph.values()) found.values += has_codes(graph, id) && graph.constant(id) == nullptr ? 1 : 0;
  for (const NodeId id : graph.nodes()) {
    const auto info = weights_of(graph, graph.node(id), ops);
    const ValueId codes = info ? constant_codes(graph, graph.node(id).input(info->weight)) : ValueId{};
    if (!codes.valid()) continue;
    const Type &type = graph.value(codes).type;
    if (found.weights++ > 0) continue;
    const bool symmetric = is_signed_integer(type.dtype);
    found.weight = number_of(type.dtype, symmetric);
    found.weight.block = type.quant->block;
  }
  found.dynamic = count_dynamic(graph);
  return found;
}

Result<KeptCodes> uncode(Graph &graph, const OpRegistry &ops, Saturation saturation) {
  EDGEC_CHECK(undo_dynamic(graph, ops));
  return Uncoder(graph, ops, saturation).run();
}

} // namespace edgec
