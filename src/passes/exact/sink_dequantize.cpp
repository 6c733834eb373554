// Moves constant codes instead of the reals that they stand for:
//
//     a = DequantizeLinear(codes, s, z)  y = Transpose(a)      becomes      y = DequantizeLinear(transposed codes, s,
//     z)
//
// The weight stays stored as codes and loses the node that moved it. With one scale for all elements any operator that
// only moves data may follow; with a scale for each index of an axis Transpose alone, which moves that axis. Not with
// scales for blocks, nor where something else reads the codes or the reals.
#include <algorithm>

#include "ir/evaluate.h"
#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "sink-dequantize";

/// Moves data, from its first operand, as constants say.
bool moves_first_operand(const Graph &graph, const Node &node, const OpRegistry &ops) {
  const OpDef *op = ops.find(node);
  if (!op || !op->moves_data || op->data_operands != OperandSet{0} || op->shape_only || !op->reference) return false;
  if (node.outputs.size() != 1 || !node.captures.empty()) return false;
  return std::all_of(node.inputs.begin() + 1, node.inputs.end(),
                     [&](ValueId id) { return !id.valid() || graph.constant(id); });
}

/// The axis of the scales after the node; -1: one scale. Nothing where the node does not keep the axis.
std::optional<std::int64_t> axis_after(const Graph &graph, const Node &dequantize, const Node &mover) {
  const Tensor *scale = graph.constant(dequantize.input(1)), *codes = graph.constant(dequantize.input(0));
  if (!scale || !codes || dequantize.get_int("block_size", 0) != 0) return std::nullopt;
  if (scale->size() == 1) return -1;
  const auto perm = mover.get_ints("perm");
  if (!mover.is("Transpose") || perm.empty() || scale->rank() != 1) return std::nullopt;
  const std::int64_t axis = dequantize.get_int("axis", 1);
  const auto place = std::ranges::find(perm, axis < 0 ? axis + codes->rank() : axis);
  return place == perm.end() ? std::nullopt : std::optional<std::int64_t>(place - perm.begin());
}

std::optional<Tensor> moved(const Graph &graph, const Node &mover, const Tensor &codes, const OpRegistry &ops) {
  std::vector<const Tensor *> inputs{&codes};
  for (std::size_t i = 1; i < mover.inputs.size(); ++i) inputs.push_back(graph.constant(mover.inputs[i]));
  const auto made = evaluate_node(*ops.find(mover), mover, graph.opset(), inputs);
  return made && made->size() == 1 ? made->front().tensor : std::nullopt;
}

bool sink(Graph &graph, NodeId id, const PassContext &context) {
  const Node &mover = graph.node(id);
  if (mover.inputs.empty() || !moves_first_operand(graph, mover, context.ops)) return false;
  const NodeId first = mover.inputs[0].valid() ? graph.value(mover.inputs[0]).producer : NodeId{};
  if (!first.valid() || !graph.node(first).is("DequantizeLinear") || graph.sole_user(mover.inputs[0]) != id)
    return false;
  const Node &dequantize = graph.node(first);
  const auto axis = axis_after(graph, dequantize, mover);
  const ValueId codes = dequantize.inputs[0];
  if (!axis || graph.sole_user(codes) != first) return false;
  auto data = moved(graph, mover, *graph.constant(codes), context.ops);
  if (!data || data->dtype != graph.constant(codes)->dtype) return false;
  context.say(pass, mover.label(), "moves the codes that " + dequantize.label() + " reads");
  auto quant = graph.value(codes).type.quant;
  if (quant && !quant->is_per_tensor()) quant->axis = static_cast<int>(*axis);
  graph.set_input(first, 0, graph.add_constant(std::move(*data), graph.value(codes).name, quant));
  graph.remove(codes);
  if (*axis >= 0) graph.set_attribute(first, "axis", *axis);
  absorb(graph, first, id);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes())
    if (graph.alive(id)) changed = sink(graph, id, context) || changed;
  return changed;
}

} // namespace

extern const PassDef sink_dequantize;
const PassDef sink_dequantize{"sink-dequantize",
                              "Transpose and reshape stored codes instead of the reals they stand for", run};

} // namespace edgec::passes
