// Joins operators that only say the shape of the same elements anew: Reshape, Flatten, Squeeze, Unsqueeze, and
// Transpose of axes of size 1.
//
//     a = Reshape(x, {2, 12})  y = Unsqueeze(a, {0})                   becomes      y = Reshape(x, {1, 2, 12})
//     a = Transpose<perm = [0, 2, 1]>(x)  with float[2,1,12] x         becomes      a = Reshape(x, {2, 12, 1})
//     a = Unsqueeze(x, {0})  y = Squeeze(a, {0})                       becomes      x
//
// Nothing else may read the value between, and the target of the Reshape must be constant (see fold_shapes.cpp). Not
// where codes have a scale for each index of an axis.
#include <algorithm>

#include "passes/pass.h"
#include "passes/rewriting/reshape.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "merge-reshapes";

/// The order of axes that are not of size 1 stays.
bool moves_ones_only(const Graph &graph, const Node &node) {
  const auto &shape = graph.value(node.inputs[0]).type.shape;
  const auto perm = node.get_ints("perm");
  if (!shape || perm.size() != shape->size()) return false;
  std::int64_t last = -1;
  for (const std::int64_t axis : perm) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(shape->size())) return false;
    if (shape->at(static_cast<std::size_t>(axis)).size == 1) continue;
    if (axis < last) return false;
    last = axis;
  }
  return true;
}

bool per_tensor(const Graph &graph, ValueId id) {
  const auto &quant = graph.value(id).type.quant;
  return !quant || quant->is_per_tensor();
}

bool says_shape(const Graph &graph, const Node &node) {
  if (node.outputs.size() != 1 || !node.input(0).valid()) return false;
  if (!per_tensor(graph, node.inputs[0]) ||
      graph.value(node.inputs[0]).type.quant != graph.value(node.outputs[0]).type.quant)
    return false;
  if (node.is("Transpose")) return moves_ones_only(graph, node);
  return node.is("Reshape") || node.is("Flatten") || node.is("Squeeze") || node.is("Unsqueeze");
}

/// The target with which Reshape of `from` gives what the node gives: derived from shapes, or the node's own.
std::optional<std::vector<std::int64_t>> target_of(const Graph &graph, const ShapeFacts &facts, const Node &node,
                                                   ValueId from) {
  if (auto found = reshape_target(facts, from, node.outputs[0])) return found;
  const auto own =
      node.is("Reshape") && node.get_int("allowzero", 0) == 0 ? integers(graph, node.input(1)) : std::nullopt;
  return own && std::ranges::find(*own, 0) == own->end() ? own : std::nullopt;
}

void make_reshape(Graph &graph, NodeId id, ValueId from, const std::vector<std::int64_t> &target) {
  for (const char *attribute : {"allowzero", "axis", "axes", "perm"}) graph.remove_attribute(id, attribute);
  graph.set_op(id, "Reshape");
  graph.set_input(id, 0, from);
  const auto rank = static_cast<std::int64_t>(target.size());
  graph.set_input(id, 1, graph.add_constant(Tensor::of<std::int64_t>({rank}, target)));
}

/// Takes a node and, where it has no other reader, the one before it together.
bool join(Graph &graph, NodeId id, const ShapeFacts &facts, const PassContext &context) {
  const ValueId middle = graph.node(id).inputs[0], out = graph.node(id).outputs[0];
  const NodeId first = graph.value(middle).producer;
  if (!first.valid() || graph.sole_user(middle) != id || !says_shape(graph, graph.node(first))) return false;
  const ValueId x = graph.node(first).inputs[0];
  const std::string label = graph.node(id).label(), other = graph.node(first).label();
  if (same_shape(facts, x, out) && can_replace(graph, out, x)) {
    graph.replace_uses(out, x);
    graph.remove(id);
  } else {
    const auto target = target_of(graph, facts, graph.node(id), x);
    if (!target) return false;
    graph.add_origins(id, std::vector(graph.node(first).origins));
    make_reshape(graph, id, x, *target);
  }
  graph.remove(first);
  context.say(pass, label, "joined with " + other);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  const auto fits = [&](NodeId id) { return says_shape(graph, graph.node(id)); };
  const bool old = graph.opset() != 0 && graph.opset() < 5; // Reshape had an attribute
  if (old || std::ranges::none_of(graph.nodes(), fits)) return false;
  EDGEC_ASSIGN(const ShapeFacts facts, shape_facts(graph, context.ops));
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id) || !says_shape(graph, graph.node(id))) continue;
    if (join(graph, id, facts, context)) {
      changed = true;
      continue;
    }
    const Node &node = graph.node(id);
    const auto target = node.is("Transpose") ? reshape_target(facts, node.inputs[0], node.outputs[0]) : std::nullopt;
    if (!target) continue;
    context.say(pass, node.label(), "became a Reshape: it moves axes of size 1 only");
    make_reshape(graph, id, node.inputs[0], *target);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef merge_reshapes;
const PassDef merge_reshapes{"merge-reshapes", "Join Reshape, Flatten, Squeeze, Unsqueeze and trivial Transpose", run};

} // namespace edgec::passes
