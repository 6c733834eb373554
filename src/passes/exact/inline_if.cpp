// Puts the branch that is taken in the place of an If whose condition is constant:
//
//     y = If(true) <then_branch = g () => (float[2] a) { a = Relu(x) }, else_branch = ...>   becomes   y = Relu(x)
//
// Not where the two graphs speak of different versions of operators, nor where an output of the branch cannot stand for
// the If's (a graph output that would become a second one of the same value).
#include <algorithm>

#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"
#include "passes/rewriting/splice.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "inline-if";

struct Branch {
  SubGraph graph;
  std::vector<ValueId> captures; // outer values, in the order of the branch's captures
};

/// The branch of that name; nothing where there is none, or sub-graphs of other names.
std::optional<Branch> branch(const Node &node, std::string_view wanted) {
  std::size_t capture = 0;
  for (const Attribute &attribute : node.attributes) {
    const auto *graph = std::get_if<SubGraph>(&attribute.value);
    if (!graph) continue;
    const std::size_t count = (*graph)->captures().size();
    if (attribute.name == wanted) {
      const auto first = node.captures.begin() + static_cast<std::ptrdiff_t>(capture);
      return Branch{*graph, {first, first + static_cast<std::ptrdiff_t>(count)}};
    }
    capture += count;
  }
  return std::nullopt;
}

/// Whether the branch's outputs can be the If's: as many, each of a value of its own.
bool fits(const Graph &graph, const Node &node, const Graph &inner) {
  if (inner.outputs().size() < node.outputs.size() || !inner.inputs().empty()) return false;
  if (!inner.opsets.empty() && inner.opsets != graph.opsets) return false;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const ValueId out = node.outputs[i], from = inner.outputs()[i].value;
    if (!out.valid()) continue;
    const bool shared = std::ranges::count(inner.outputs(), from, &GraphOutput::value) > 1;
    if (graph.is_output(out) && shared && !inner.constant(from)) return false;
    const Type &was = graph.value(out).type, &is = inner.value(from).type;
    if (was.kind != is.kind || was.dtype != is.dtype || was.quant != is.quant) return false;
  }
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    if (!graph.node(id).is("If")) continue;
    const auto condition = graph.constant(graph.node(id).input(0));
    if (!condition || condition->size() != 1) continue;
    const std::string_view name = to_int64s(*condition).front() != 0 ? "then_branch" : "else_branch";
    const auto taken = branch(graph.node(id), name);
    const std::string label = graph.node(id).label();
    if (!taken || !fits(graph, graph.node(id), *taken->graph)) {
      context.skip(pass, label, "its condition is constant, but its branch cannot stand outside");
      continue;
    }
    const std::vector<ValueId> outputs = graph.node(id).outputs;
    const std::vector<ValueId> made = splice(graph, *taken->graph, {}, taken->captures, id);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].valid()) continue;
      if (const Tensor *data = graph.constant(made[i]))
        replace_by_constant(graph, outputs[i], Tensor(*data));
      else
        graph.replace_uses(outputs[i], made[i]);
    }
    graph.remove(id);
    context.say(pass, label, "its condition is constant: became its " + std::string(name));
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef inline_if;
const PassDef inline_if{"inline-if", "Replace If by its branch where the condition is constant", run};

} // namespace edgec::passes
