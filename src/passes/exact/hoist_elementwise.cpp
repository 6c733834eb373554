// Applies an elementwise operator to a constant instead of to the part of it that is read:
//
//     a = Gather(table, i)  y = Mul(a, 2)      becomes      y = Gather(2 * table, i)
//     a = Slice(mask, s, e)  y = Cast(a)       becomes      y = Slice(Cast(mask), s, e)
//
// What stands between only moves elements, and nothing else reads it, nor the constant. Other operands of the operator
// are constants of one element. Not where the constant would take more bytes, nor where types are quantized.
#include <algorithm>

#include "ir/evaluate.h"
#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "hoist-elementwise";

bool moves_first_operand(const Graph &graph, const Node &node, const OpRegistry &ops) {
  const OpDef *op = ops.find(node);
  return op && op->moves_data && op->data_operands == OperandSet{0} && !op->shape_only && node.outputs.size() == 1 &&
         !node.inputs.empty() && node.inputs[0].valid() && node.captures.empty() &&
         !graph.value(node.inputs[0]).type.is_quantized() && !graph.is_output(node.outputs[0]);
}

/// The operand that the node is applied to, if all others are constants of one element.
std::optional<std::size_t> moved_operand(const Graph &graph, const Node &node) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.inputs[i].valid()) continue;
    const Tensor *data = graph.constant(node.inputs[i]);
    if (data && data->size() == 1 && !graph.value(node.inputs[i]).type.is_quantized()) continue;
    if (data || found) return std::nullopt;
    found = i;
  }
  return found;
}

/// The nodes from the operator up to the constant, nearest first; empty: there are none.
std::vector<NodeId> movers(const Graph &graph, NodeId id, ValueId value, const OpRegistry &ops) {
  std::vector<NodeId> chain;
  for (NodeId reader = id; !graph.constant(value); value = graph.node(reader).inputs[0]) {
    const NodeId before = graph.value(value).producer;
    if (!before.valid() || graph.sole_user(value) != reader || !moves_first_operand(graph, graph.node(before), ops))
      return {};
    chain.push_back(reader = before);
  }
  return chain;
}

std::optional<Tensor> applied(const Graph &graph, const Node &node, std::size_t operand, const Tensor &whole,
                              const OpRegistry &ops) {
  std::vector<const Tensor *> inputs;
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    inputs.push_back(i == operand ? &whole : graph.constant(node.inputs[i]));
  const auto made = evaluate_node(*ops.find(node), node, graph.opset(), inputs);
  return made && made->size() == 1 ? made->front().tensor : std::nullopt;
}

bool hoist(Graph &graph, NodeId id, const PassContext &context) {
  const Node &node = graph.node(id);
  const OpDef *op = context.ops.find(node);
  if (!op || !op->elementwise || !op->deterministic || !op->reference || node.outputs.size() != 1) return false;
  const auto operand = moved_operand(graph, node);
  if (!operand) return false;
  const std::vector<NodeId> chain = movers(graph, id, node.inputs[*operand], context.ops);
  if (chain.empty()) return false;
  const ValueId constant = graph.node(chain.back()).inputs[0], out = node.outputs[0];
  const Type type = graph.value(out).type;
  const Tensor whole = *graph.constant(constant);
  if (graph.sole_user(constant) != chain.back() || graph.value(constant).type.is_quantized() || type.is_quantized())
    return false;
  const auto made = applied(graph, node, *operand, whole, context.ops);
  if (!made || made->dims != whole.dims || made->dtype != type.dtype || made->data.size() > whole.data.size())
    return false;
  context.say(pass, node.label(), "applied to the constant " + graph.value(constant).name);
  graph.set_input(chain.back(), 0, graph.add_constant(*made, graph.value(constant).name));
  graph.remove(constant);
  for (const NodeId mover : chain) {
    Type moved = graph.value(graph.node(mover).outputs[0]).type;
    moved.dtype = type.dtype;
    graph.set_type(graph.node(mover).outputs[0], std::move(moved));
  }
  absorb(graph, chain.front(), id);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes())
    if (graph.alive(id)) changed = hoist(graph, id, context) || changed;
  return changed;
}

} // namespace

extern const PassDef hoist_elementwise;
const PassDef hoist_elementwise{"hoist-elementwise",
                                "Apply elementwise operators to constants instead of to parts of them", run};

} // namespace edgec::passes
