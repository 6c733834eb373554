// Removes nodes that give their operand back as it is:
//
//     a = Transpose<perm = [0, 1, 2]>(x)  y = Relu(a)      becomes      y = Relu(x)
//
// Which: Reshape, Flatten, Squeeze, Unsqueeze and Expand to the shape that the operand has; Transpose that leaves every
// axis in place; Cast to the type that the operand has; Slice of everything, forwards; Pad by nothing; Concat, Sum,
// Mean, Max and Min of one operand. Shapes agree where every dim is the same number, or is proven to be the same
// (ir/shape_facts.h): names of dims are not believed.
#include <algorithm>
#include <optional>

#include "passes/pass.h"
#include "passes/rewriting/reshape.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

/// The graph, and what can be proven of its shapes, which is asked for only where it is needed.
class Scene {
public:
  Scene(const Graph &of, const OpRegistry &ops) : graph(of), ops_(ops) {}
  const Graph &graph;

  bool same_shape(const Node &node) {
    const auto &a = graph.value(node.inputs[0]).type.shape, &b = graph.value(node.outputs[0]).type.shape;
    if (!a || !b || a->size() != b->size()) return false;
    const auto differ = [](const Dim &x, const Dim &y) { return x.is_known() && y.is_known() && x != y; };
    if (!std::ranges::equal(*a, *b, [&](const Dim &x, const Dim &y) { return !differ(x, y); })) return false;
    if (std::ranges::all_of(*a, &Dim::is_known) && *a == *b) return true;
    if (!asked_) {
      auto facts = shape_facts(graph, ops_);
      if (facts) facts_ = std::move(*facts);
      asked_ = true;
    }
    return facts_ && passes::same_shape(*facts_, node.inputs[0], node.outputs[0]);
  }

private:
  const OpRegistry &ops_;
  std::optional<ShapeFacts> facts_; // stays true while nodes that do nothing go
  bool asked_ = false;
};

bool same_shape(Scene &scene, const Node &node) { return scene.same_shape(node); }

bool keeps_axes(Scene &, const Node &node) {
  const auto order = node.get_ints("perm"); // absent: reversed
  for (std::size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<std::int64_t>(i)) return false;
  return !order.empty();
}

bool same_dtype(Scene &, const Node &) { return true; } // can_replace() asks for the same type

/// All steps 1 and the shape unchanged. Slices of opset 9 and before have no steps.
bool slices_all(Scene &scene, const Node &node) {
  if (!same_shape(scene, node)) return false;
  const auto steps = integers(scene.graph, node.input(4));
  return !node.input(4).valid() || (steps && std::ranges::all_of(*steps, [](std::int64_t step) { return step == 1; }));
}

bool pads_nothing(Scene &scene, const Node &node) {
  const auto pads = node.input(1).valid() ? integers(scene.graph, node.input(1)) : node.get_ints("pads");
  return pads && !pads->empty() && std::ranges::all_of(*pads, [](std::int64_t count) { return count == 0; });
}

bool one_operand(Scene &, const Node &node) { return node.inputs.size() == 1; }

struct Rule {
  std::string_view op;
  bool (*does_nothing)(Scene &, const Node &);
};
constexpr Rule rules[] = {
    {"Reshape", same_shape}, {"Flatten", same_shape},   {"Squeeze", same_shape}, {"Unsqueeze", same_shape},
    {"Expand", same_shape},  {"Transpose", keeps_axes}, {"Cast", same_dtype},    {"Slice", slices_all},
    {"Pad", pads_nothing},   {"Concat", one_operand},   {"Sum", one_operand},    {"Mean", one_operand},
    {"Max", one_operand},    {"Min", one_operand},
};

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  Scene scene(graph, context.ops);
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const auto rule = std::ranges::find_if(rules, [&](const Rule &one) { return node.is(one.op); });
    if (rule == std::end(rules) || !can_replace(graph, node.outputs[0], node.input(0))) continue;
    if (!rule->does_nothing(scene, node)) continue;
    context.say("eliminate-no-op", node.label(), "removed: it gives its operand back");
    graph.replace_uses(node.outputs[0], node.inputs[0]);
    graph.remove(id);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef eliminate_no_op;
const PassDef eliminate_no_op{"eliminate-no-op", "Remove reshapes, transposes, casts, slices and pads that do nothing",
                              run};

} // namespace edgec::passes
