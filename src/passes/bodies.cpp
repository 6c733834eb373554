#include "passes/bodies.h"

#include <algorithm>
#include <string>
#include <vector>

namespace edgec {
namespace {

/// A sub-graph taken out of its node.
class Body {
public:
  std::string attribute;
  Graph graph;
  std::vector<ValueId> outside; // what each capture is in the graph around it

  /// Joins captures of one outer value; true if there were some.
  bool join_captures() {
    bool changed = false;
    for (std::size_t i = 0; i < outside.size(); ++i) {
      const auto first = static_cast<std::size_t>(std::ranges::find(outside, outside[i]) - outside.begin());
      const ValueId capture = graph.captures()[i];
      if (first == i || graph.use_count(capture) == 0) continue;
      graph.replace_uses(capture, graph.captures()[first]);
      changed = true;
    }
    return changed;
  }

  void lend_constants(const Graph &around, std::size_t shared_limit) {
    const std::vector<ValueId> captures = graph.captures();
    for (std::size_t i = 0; i < captures.size(); ++i) {
      const Tensor *data = around.constant(outside[i]);
      if (!data || graph.use_count(captures[i]) == 0) continue;
      if (data->data.size() > shared_limit && around.use_count(outside[i]) > 1) continue;
      const Value &value = around.value(outside[i]);
      lent_.push_back({captures[i], graph.add_constant(*data, value.name, value.type.quant)});
      graph.replace_uses(lent_.back().capture, lent_.back().constant);
    }
  }

  /// A sub-graph's output may not be a capture, so a constant that became one stays.
  void take_back_constants(const Graph &around) {
    for (const auto &[capture, constant] : lent_) {
      if (!graph.alive(constant) || graph.is_output(constant)) continue;
      const auto place = std::ranges::find(graph.captures(), capture) - graph.captures().begin();
      const Value &value = around.value(outside[static_cast<std::size_t>(place)]);
      if (!same(*graph.constant(constant), *value.data) || graph.value(constant).type.quant != value.type.quant)
        continue;
      if (graph.use_count(constant) > 0) graph.replace_uses(constant, capture);
      graph.remove(constant);
    }
  }

  void drop_captures() {
    const std::vector<ValueId> captures = graph.captures();
    std::vector<ValueId> kept;
    for (std::size_t i = 0; i < captures.size(); ++i) {
      if (graph.use_count(captures[i]) > 0)
        kept.push_back(outside[i]);
      else
        graph.remove(captures[i]);
    }
    outside = std::move(kept);
  }

private:
  struct Lent {
    ValueId capture, constant;
  };
  std::vector<Lent> lent_;

  static bool same(const Tensor &a, const Tensor &b) {
    return a.dtype == b.dtype && a.dims == b.dims && a.strings == b.strings && a.data.data() == b.data.data();
  }
};

/// The sub-graphs of a node; none where they are not all attributes of their own.
std::vector<Body> bodies_of(const Node &node) {
  std::vector<Body> bodies;
  std::size_t capture = 0;
  for (const Attribute &attribute : node.attributes) {
    if (std::holds_alternative<std::vector<SubGraph>>(attribute.value)) return {};
    const auto *graph = std::get_if<SubGraph>(&attribute.value);
    if (!graph) continue;
    Body body;
    body.attribute = attribute.name;
    body.graph = **graph;
    for (std::size_t i = 0; i < body.graph.captures().size(); ++i) body.outside.push_back(node.captures[capture++]);
    bodies.push_back(std::move(body));
  }
  return bodies;
}

} // namespace

Result<bool> edit_bodies(Graph &graph, const OpRegistry &ops, std::size_t shared_limit,
                         const std::function<Result<bool>(Graph &)> &edit) {
  bool any = false;
  for (const NodeId id : graph.nodes()) {
    if (!ops.find(graph.node(id))) continue;
    bool changed = false;
    std::vector<Body> bodies = bodies_of(graph.node(id));
    for (Body &body : bodies) {
      Body copy = body;
      bool did = copy.join_captures();
      copy.lend_constants(graph, shared_limit);
      const Result<bool> outcome = edit(copy.graph);
      if (!outcome) return outcome;
      if (!(did |= *outcome)) continue;
      copy.take_back_constants(graph);
      copy.drop_captures();
      body = std::move(copy);
      changed = true;
    }
    if (!changed) continue;
    any = true;
    std::vector<ValueId> captures;
    for (const Body &body : bodies) captures.insert(captures.end(), body.outside.begin(), body.outside.end());
    for (Body &body : bodies)
      graph.set_subgraph(id, body.attribute, std::make_shared<const Graph>(std::move(body.graph)), captures);
  }
  return any;
}

} // namespace edgec
