// Computes with vectors of one element where that spares turning them into scalars and back, as shape computations do:
//
//     a = Gather(v, 2)  y = Unsqueeze(a, {0})                                    becomes      y = Gather(v, {2})
//     a = Squeeze(v)  b = Sub(a, c)  y = Unsqueeze(b, {0})   with v[1]           becomes      y = Sub(v, c)
//
// Nothing else may read the values that go; the other operand c is a scalar, or came from such a Squeeze as well.
#include <algorithm>

#include "passes/pass.h"
#include "passes/rewriting/match.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "lift-scalars";

bool has_dims(const Graph &graph, ValueId id, const Dims &wanted) {
  return id.valid() && !graph.value(id).type.is_quantized() && graph.value(id).type.concrete() == wanted;
}

/// The vector of one element that a scalar was; none where it was none.
ValueId vector_of(const Graph &graph, ValueId scalar) {
  const Node *node = made_by(graph, scalar, "Squeeze");
  if (!node) node = made_by(graph, scalar, "Reshape");
  return node && has_dims(graph, scalar, {}) && has_dims(graph, node->inputs[0], {1}) ? node->inputs[0] : ValueId{};
}

/// Gather of one index along the axis of a vector.
bool lift_gather(Graph &graph, NodeId gather) {
  const ValueId index = graph.node(gather).input(1);
  const Tensor *data = graph.constant(index);
  if (!data || !has_dims(graph, index, {}) || graph.value(graph.node(gather).inputs[0]).type.rank() != 1) return false;
  Tensor vector = *data;
  vector.dims = {1};
  graph.set_input(gather, 1, graph.add_constant(std::move(vector), graph.value(index).name));
  return true;
}

bool lift_arithmetic(Graph &graph, NodeId id, const OpRegistry &ops) {
  const Node &node = graph.node(id);
  const OpDef *op = ops.find(node);
  if (!op || !op->elementwise || node.inputs.empty() || node.outputs.size() != 1 || !node.captures.empty())
    return false;
  std::vector<ValueId> vectors;
  for (const ValueId operand : node.inputs) {
    if (!has_dims(graph, operand, {})) return false;
    vectors.push_back(vector_of(graph, operand));
  }
  if (std::ranges::none_of(vectors, [](ValueId vector) { return vector.valid(); })) return false;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (!vectors[i].valid()) continue;
    const ValueId scalar = graph.node(id).inputs[i];
    graph.set_input(id, i, vectors[i]);
    remove_unread(graph, scalar);
  }
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.alive(id) || !graph.node(id).is("Unsqueeze")) continue;
    const ValueId scalar = graph.node(id).inputs[0], out = graph.node(id).outputs[0];
    const NodeId before = graph.value(scalar).producer;
    if (!before.valid() || graph.sole_user(scalar) != id || !has_dims(graph, scalar, {}) || !has_dims(graph, out, {1}))
      continue;
    const std::string label = graph.node(id).label(), other = graph.node(before).label();
    const bool lifted =
        graph.node(before).is("Gather") ? lift_gather(graph, before) : lift_arithmetic(graph, before, context.ops);
    if (!lifted) continue;
    absorb(graph, before, id);
    context.say(pass, label, "spared: " + other + " gives a vector");
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef lift_scalars;
const PassDef lift_scalars{"lift-scalars", "Compute shapes in vectors of one element instead of scalars", run};

} // namespace edgec::passes
