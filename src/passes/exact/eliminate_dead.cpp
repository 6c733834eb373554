// Removes nodes and constants that no graph output depends on:
//
//     y = Relu(x)  z = Neg(x)      becomes      y = Relu(x)      where z is not an output
//
// Graph inputs stay, read or not: they are the network's interface.
#include "passes/pass.h"

namespace edgec::passes {
namespace {

Result<bool> run(Graph &graph, const PassContext &context) {
  std::vector<std::pair<NodeId, std::string>> labels;
  for (const NodeId id : graph.nodes()) labels.emplace_back(id, graph.node(id).label());
  const bool changed = graph.remove_dead();
  for (const auto &[id, label] : labels)
    if (!graph.alive(id)) context.say("eliminate-dead", label, "removed: no output depends on it");
  return changed;
}

} // namespace

extern const PassDef eliminate_dead;
const PassDef eliminate_dead{"eliminate-dead", "Remove nodes and constants that no output depends on", run};

} // namespace edgec::passes
