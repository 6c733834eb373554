// Turns QuantizeLinear and DequantizeLinear around operators into quantized types: `a = DequantizeLinear(q, s, z)
// b = Relu(a)  c = QuantizeLinear(b, t, u)` becomes `uint8{t,u} c = Relu(uint8{s,z} q)`. QLinearConv and its kin are
// written out that way first. Only where the result is the same function up to one step of the output's scale; other
// QuantizeLinear and DequantizeLinear stay: they stand where integers and floats meet.
#include <algorithm>
#include <cmath>
#include <set>

#include "formats/onnx/qoperator.h"
#include "ir/node_view.h"
#include "passes/pass.h"
#include "passes/rewriting/quantized_values.h"

namespace edgec::passes {
namespace {

constexpr float bias_tolerance = 1.0F / (1 << 20); // of a bias's scale against that of the accumulator

class Folder {
public:
  Folder(Graph &graph, const OpRegistry &ops) : graph_(graph), ops_(ops) {}
  bool fold(NodeId id);

private:
  Graph &graph_;
  const OpRegistry &ops_;

  [[nodiscard]] const Type &type(ValueId id) const { return graph_.value(id).type; }
  [[nodiscard]] bool is_code(ValueId id) const { return id.valid() && type(id).quant && bits(type(id).dtype) == 8; }
  [[nodiscard]] bool is_weight_code(ValueId id) const {
    return is_code(id) || (id.valid() && type(id).quant && graph_.constant(id) && type(id).dtype == DType::int4);
  }
  [[nodiscard]] bool is_plain_code(ValueId id) const { return is_code(id) && type(id).quant->is_per_tensor(); }
  [[nodiscard]] ValueId codes_before(ValueId real) const;
  [[nodiscard]] NodeId quantizer_after(ValueId real) const;
  [[nodiscard]] bool is_bias(ValueId bias, ValueId data, ValueId weight) const;
  bool fold_weighted(NodeId id, const WeightInfo &info);
  bool fold_data(NodeId id, const OpDef &op);
  void read_codes(NodeId id, std::size_t operand);
  void write_codes(NodeId id, std::size_t output, NodeId quantizer);
  void remove_unread(NodeId id);
};

/// The quantized value of which `real` is the dequantized form; none where it is no such form.
ValueId Folder::codes_before(ValueId real) const {
  const Node *node = graph_.producer(real);
  if (!node || !node->is("DequantizeLinear")) return {};
  const ValueId codes = node->inputs[0];
  return type(codes).quant && border_quant(graph_, *node, codes) == type(codes).quant ? codes : ValueId{};
}

/// The QuantizeLinear that alone reads `real` and gives quantized 8-bit codes; none otherwise.
NodeId Folder::quantizer_after(ValueId real) const {
  const NodeId user = graph_.sole_user(real);
  if (!user.valid()) return {};
  const Node &node = graph_.node(user);
  return node.is("QuantizeLinear") && node.inputs[0] == real && is_plain_code(node.outputs[0]) ? user : NodeId{};
}

/// An int32 bias that counts in steps of the product's scale.
bool Folder::is_bias(ValueId bias, ValueId data, ValueId weight) const {
  if (!bias.valid() || !type(bias).quant || type(bias).dtype != DType::int32) return false;
  const Quant &quant = *type(bias).quant, &w = *type(weight).quant;
  const float x = type(data).quant->scale();
  for (std::size_t i = 0; i < std::max(quant.scales.size(), w.scales.size()); ++i) {
    const float given = quant.scales[quant.scales.size() == 1 ? 0 : i];
    if (i >= quant.scales.size() && quant.scales.size() > 1) return false;
    const float wanted = x * w.scales[i % w.scales.size()];
    if (!(std::abs(given - wanted) <= bias_tolerance * wanted)) return false;
  }
  return std::ranges::all_of(quant.zero_points, [](auto zero) { return zero == 0; });
}

void Folder::remove_unread(NodeId id) {
  if (!graph_.alive(id)) return;
  const Node node = graph_.node(id);
  for (const ValueId output : node.outputs)
    if (output.valid() && graph_.use_count(output) > 0) return;
  graph_.remove(id);
  for (const ValueId input : node.inputs)
    if (graph_.alive(input) && graph_.constant(input) && graph_.use_count(input) == 0) graph_.remove(input);
}

void Folder::read_codes(NodeId id, std::size_t operand) {
  const ValueId real = graph_.node(id).inputs[operand];
  const NodeId dequantizer = graph_.value(real).producer;
  graph_.set_input(id, operand, codes_before(real));
  remove_unread(dequantizer);
}

void Folder::write_codes(NodeId id, std::size_t output, NodeId quantizer) {
  const ValueId real = graph_.node(id).outputs[output], codes = graph_.node(quantizer).outputs[0];
  Type made = type(codes);
  if (!made.shape) made.shape = type(real).shape;
  const std::string name = graph_.value(codes).name;
  graph_.set_type(real, std::move(made));
  graph_.set_name(real, name);
  graph_.set_metadata(real, graph_.value(codes).metadata, graph_.value(codes).doc);
  graph_.replace_uses(codes, real);
  remove_unread(quantizer);
}

bool Folder::fold_weighted(NodeId id, const WeightInfo &info) {
  const Node &node = graph_.node(id);
  if (node.get_float("alpha", 1) != 1 || node.get_float("beta", 1) != 1 || node.outputs.size() != 1) return false;
  const ValueId data = codes_before(node.input(info.data)), weight = codes_before(node.input(info.weight));
  if (!is_plain_code(data) || !is_weight_code(weight) || type(weight).quant->block > 0) return false;
  const Quant &quant = *type(weight).quant;
  const int rank = type(weight).rank().value_or(0);
  if (rank == 0 || (!quant.is_per_tensor() && quant.axis != (info.channel_axis + rank) % rank)) return false;
  const ValueId bias = info.bias ? node.input(*info.bias) : ValueId{};
  if (bias.valid() && !is_bias(codes_before(bias), data, weight)) return false;
  const NodeId quantizer = quantizer_after(node.outputs[0]);
  read_codes(id, info.data);
  read_codes(id, info.weight);
  if (bias.valid()) read_codes(id, *info.bias);
  if (quantizer.valid()) write_codes(id, 0, quantizer);
  return true;
}

bool Folder::fold_data(NodeId id, const OpDef &op) {
  const Node node = graph_.node(id);
  std::vector<std::pair<std::size_t, NodeId>> quantizers;
  std::vector<std::size_t> operands;
  std::vector<Quant> quants;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!op.data_operands.contains(i) || !node.inputs[i].valid()) continue;
    const ValueId codes = codes_before(node.inputs[i]);
    if (!is_plain_code(codes)) return false;
    operands.push_back(i);
    quants.push_back(*type(codes).quant);
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].valid() || graph_.use_count(node.outputs[i]) == 0) continue;
    const NodeId quantizer = quantizer_after(node.outputs[i]);
    if (!quantizer.valid()) return false;
    quantizers.emplace_back(i, quantizer);
    quants.push_back(*type(graph_.node(quantizer).outputs[0]).quant);
  }
  if (operands.empty() || quantizers.empty()) return false;
  if (op.quant == QuantRule::same_scale && !std::ranges::all_of(quants, [&](const Quant &q) { return q == quants[0]; }))
    return false;
  for (const std::size_t operand : operands)
    if (graph_.node(id).inputs[operand] == node.inputs[operand]) read_codes(id, operand);
  for (const auto &[output, quantizer] : quantizers) write_codes(id, output, quantizer);
  return true;
}

bool Folder::fold(NodeId id) {
  const Node &node = graph_.node(id);
  const OpDef *op = ops_.find(node);
  if (!op || !node.captures.empty() || op->quant == QuantRule::not_data || op->quant == QuantRule::float_only)
    return false;
  if (const auto info = weights_of(graph_, node, ops_)) return fold_weighted(id, *info);
  return fold_data(id, *op);
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = unfold_qoperators(graph);
  changed |= type_codes(graph, context.ops);
  std::size_t folded = 0;
  for (const NodeId id : graph.nodes())
    if (graph.alive(id) && Folder(graph, context.ops).fold(id)) ++folded;
  if (folded > 0) context.say("fold-qdq", "", std::to_string(folded) + " operators read or write codes");
  changed |= folded > 0;
  if (changed) EDGEC_CHECK(infer_types(graph, context.ops)); // QOperators hid the shapes behind them
  return changed;
}

} // namespace

extern const PassDef fold_qdq;
const PassDef fold_qdq{"fold-qdq", "Make quantized types of QuantizeLinear and DequantizeLinear around operators", run};

} // namespace edgec::passes
