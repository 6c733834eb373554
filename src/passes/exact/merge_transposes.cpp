// Joins Transposes, and moves them behind elementwise operators where that lets two of them meet:
//
//     a = Transpose<perm = p>(x)  y = Transpose<perm = q>(a)                        becomes      y = Transpose<perm = q
//     of p>(x) a = Transpose<perm = p>(x)  b = Relu(a)  y = Transpose<perm = q>(b)           becomes      y = Relu(x),
//     where q undoes p
//
// Between two that undo each other there may be any chain of elementwise operators whose other operands are constants
// of one element. Nothing else may read the values between, and nothing may be quantized for each index of an axis.
#include <algorithm>

#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "merge-transposes";

using Ints = std::vector<std::int64_t>;

/// The order of axes; empty: it is none that is known.
Ints order_of(const Graph &graph, const Node &node) {
  Ints perm = node.get_ints("perm");
  const auto rank = graph.value(node.inputs[0]).type.rank();
  if (perm.empty() && rank)
    for (std::int64_t i = *rank; i-- > 0;) perm.push_back(i);
  const auto count = static_cast<std::int64_t>(perm.size());
  const bool valid = std::ranges::all_of(perm, [&](std::int64_t axis) { return axis >= 0 && axis < count; });
  return valid ? perm : Ints{};
}

bool per_tensor(const Graph &graph, ValueId id) {
  const auto &quant = graph.value(id).type.quant;
  return !quant || quant->is_per_tensor();
}

bool is_transpose(const Graph &graph, NodeId id) {
  const Node &node = graph.node(id);
  return node.is("Transpose") && per_tensor(graph, node.inputs[0]) &&
         graph.value(node.inputs[0]).type.quant == graph.value(node.outputs[0]).type.quant &&
         !order_of(graph, node).empty();
}

/// Axis i of the result is axis first[second[i]] of what came before both.
Ints composed(const Ints &first, const Ints &second) {
  Ints out;
  for (const std::int64_t axis : second) out.push_back(first[static_cast<std::size_t>(axis)]);
  return out;
}

bool keeps_order(const Ints &perm) {
  for (std::size_t i = 0; i < perm.size(); ++i)
    if (perm[i] != static_cast<std::int64_t>(i)) return false;
  return true;
}

/// The operand through which an elementwise node reads the chain; its others are constants of one element.
std::optional<std::size_t> chained_operand(const Graph &graph, const Node &node, const OpRegistry &ops) {
  const OpDef *op = ops.find(node);
  if (!op || !op->elementwise || node.outputs.size() != 1 || !node.captures.empty()) return std::nullopt;
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (!node.inputs[i].valid()) continue;
    const Tensor *data = graph.constant(node.inputs[i]);
    if (data && data->size() == 1 && data->rank() <= 1) continue;
    if (data || found) return std::nullopt;
    found = i;
  }
  return found;
}

/// The Transpose at the beginning of the chain that ends in `value`, which `reader` alone reads; `chain`: the
/// elementwise nodes between, last first.
NodeId beginning(const Graph &graph, ValueId value, NodeId reader, const OpRegistry &ops, std::vector<NodeId> &chain) {
  for (;;) {
    const NodeId before = value.valid() ? graph.value(value).producer : NodeId{};
    if (!before.valid() || graph.sole_user(value) != reader || !per_tensor(graph, value)) return {};
    if (is_transpose(graph, before)) return before;
    const auto operand = chained_operand(graph, graph.node(before), ops);
    if (!operand) return {};
    chain.push_back(before);
    value = graph.node(before).inputs[*operand];
    reader = before;
  }
}

/// Takes both ends off a chain: its values get the shape of x.
void straighten(Graph &graph, NodeId first, NodeId last, const std::vector<NodeId> &chain) {
  const ValueId x = graph.node(first).inputs[0], moved = graph.node(first).outputs[0];
  const auto shape = graph.value(x).type.shape;
  for (const NodeId id : chain) {
    Type type = graph.value(graph.node(id).outputs[0]).type;
    type.shape = shape;
    graph.set_type(graph.node(id).outputs[0], std::move(type));
  }
  graph.replace_uses(moved, x);
  graph.remove(first);
  absorb(graph, chain.front(), last);
}

bool join(Graph &graph, NodeId id, const PassContext &context) {
  std::vector<NodeId> chain;
  const NodeId first = beginning(graph, graph.node(id).inputs[0], id, context.ops, chain);
  if (!first.valid()) return false;
  const Ints perm = composed(order_of(graph, graph.node(first)), order_of(graph, graph.node(id)));
  const std::string label = graph.node(id).label(), other = graph.node(first).label();
  const ValueId x = graph.node(first).inputs[0], out = graph.node(id).outputs[0];
  if (chain.empty()) {
    graph.add_origins(id, std::vector(graph.node(first).origins));
    if (keeps_order(perm) && can_replace(graph, out, x)) {
      graph.replace_uses(out, x);
      graph.remove(id);
    } else {
      graph.set_attribute(id, "perm", perm);
      graph.set_input(id, 0, x);
    }
    graph.remove(first);
  } else {
    if (!keeps_order(perm)) return false;
    straighten(graph, first, id, chain);
  }
  context.say(pass, label, "joined with " + other);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes())
    if (graph.alive(id) && is_transpose(graph, id)) changed = join(graph, id, context) || changed;
  return changed;
}

} // namespace

extern const PassDef merge_transposes;
const PassDef merge_transposes{"merge-transposes", "Join Transposes, also through elementwise operators between them",
                               run};

} // namespace edgec::passes
