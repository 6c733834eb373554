// Gives softmax that is written out its operator:
//
//     e = Exp(x - ReduceMax(x))   y = e / ReduceSum(e)         Softmax(x)
//     e = Exp(x)                  y = e / ReduceSum(e)         Softmax(x)
//
// along one axis (Bridle 1990). The division may be a product with Reciprocal. Before opset 13 Softmax takes all axes
// from `axis` on together, so that only the last axis will do. Types must be float or double. Values between that
// something else reads stay for it. The second form overflows where Softmax does not.
#include "passes/pass.h"
#include "passes/rewriting/match.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "recognize-softmax";

struct Softmax {
  ValueId x;
  int axis;
};

/// Exp(x) or Exp(x - ReduceMax(x)) along the axis: x.
ValueId exponent_of(const Graph &graph, ValueId value, int axis) {
  const Node *exp = made_by(graph, value, "Exp");
  if (!exp) return {};
  const Node *difference = made_by(graph, exp->inputs[0], "Sub");
  const Node *highest = difference ? made_by(graph, difference->inputs[1], "ReduceMax") : nullptr;
  const bool shifted = highest && highest->inputs[0] == difference->inputs[0] && kept_axis(graph, *highest) == axis;
  return shifted ? difference->inputs[0] : exp->inputs[0];
}

/// e / ReduceSum(e), or e * Reciprocal(ReduceSum(e)).
std::optional<Softmax> recognize(const Graph &graph, const Node &node) {
  if (!node.is("Div") && !node.is("Mul")) return std::nullopt;
  for (const std::size_t i : {0U, 1U}) {
    const Node *over = node.is("Div") ? &node : made_by(graph, node.inputs[1 - i], "Reciprocal");
    if (!over || (node.is("Div") && i == 1)) continue;
    const Node *sum = made_by(graph, node.is("Div") ? node.inputs[1] : over->inputs[0], "ReduceSum");
    if (!sum || sum->inputs[0] != node.inputs[i]) continue;
    const auto axis = kept_axis(graph, *sum);
    if (!axis) continue;
    if (const ValueId x = exponent_of(graph, node.inputs[i], *axis); x.valid()) return Softmax{x, *axis};
  }
  return std::nullopt;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const auto found = graph.alive(id) ? recognize(graph, graph.node(id)) : std::nullopt;
    if (!found || !is_wide_float(&graph.value(found->x).type)) continue;
    const bool last = found->axis + 1 == *graph.value(found->x).type.rank();
    if (graph.opset() < 13 && !last) continue;
    context.say(pass, graph.node(id).label(), "is Softmax");
    const std::vector<ValueId> operands = graph.node(id).inputs;
    graph.set_op(id, "Softmax");
    graph.drop_input(id, 1);
    graph.set_input(id, 0, found->x);
    graph.set_attribute(id, "axis", std::int64_t{graph.opset() < 13 || !last ? found->axis : -1});
    for (const ValueId operand : operands) remove_unread(graph, operand);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef recognize_softmax;
const PassDef recognize_softmax{"recognize-softmax", "Find Softmax that is written out", run};

} // namespace edgec::passes
