// Takes outputs of If that nothing reads out of both branches, so that what computes them there can go as well:
//
//     a, b = If(c) <then_branch = ... => (u, v), else_branch = ... => (w, z)>      where nothing reads b
//     becomes      a = If(c) <then_branch = ... => (u), else_branch = ... => (w)>
//
// Not the last output that is left.
#include <algorithm>

#include "passes/exact/_rewrite.h"
#include "passes/exact/_splice.h"
#include "passes/pass.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "eliminate-dead-outputs";

SubGraph with_outputs(const Graph &branch, const std::vector<std::size_t> &kept) {
  auto fresh = std::make_shared<Graph>();
  fresh->name = branch.name;
  fresh->doc = branch.doc;
  fresh->opsets = branch.opsets;
  fresh->metadata = branch.metadata;
  std::vector<ValueId> captures;
  for (const ValueId id : branch.captures())
    captures.push_back(fresh->add_capture(branch.value(id).name, branch.value(id).type));
  const std::vector<ValueId> outputs = splice(*fresh, branch, {}, captures, {});
  for (const std::size_t i : kept) fresh->add_output(outputs[i], branch.outputs()[i].name);
  return fresh;
}

/// Both branches are graphs without inputs and have the node's outputs.
bool is_regular(const Node &node) {
  return std::ranges::all_of(node.attributes, [&](const Attribute &attribute) {
    const auto *branch = std::get_if<SubGraph>(&attribute.value);
    return branch && (*branch)->inputs().empty() && (*branch)->outputs().size() == node.outputs.size();
  });
}

void rebuild(Graph &graph, NodeId id, const std::vector<std::size_t> &kept) {
  Node made = graph.node(id);
  const std::vector<ValueId> outputs = made.outputs;
  for (Attribute &attribute : made.attributes)
    attribute.value = with_outputs(**std::get_if<SubGraph>(&attribute.value), kept);
  made.outputs.clear();
  for (const std::size_t i : kept) {
    const Value &was = graph.value(outputs[i]);
    made.outputs.push_back(graph.add_value(Type(was.type), std::string(was.name)));
  }
  const std::vector<ValueId> fresh = made.outputs;
  graph.add_node(std::move(made), id);
  for (std::size_t i = 0; i < kept.size(); ++i) graph.replace_uses(outputs[kept[i]], fresh[i]);
  graph.remove(id);
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("If") || !is_regular(node)) continue;
    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i].valid() && graph.use_count(node.outputs[i]) > 0) kept.push_back(i);
    if (kept.empty() || kept.size() == node.outputs.size()) continue;
    context.say(pass, node.label(), "outputs that nothing reads removed");
    rebuild(graph, id, kept);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef eliminate_dead_outputs;
const PassDef eliminate_dead_outputs{"eliminate-dead-outputs",
                                     "Remove outputs of If that nothing reads from its branches", PassKind::exact, run};

} // namespace edgec::passes
