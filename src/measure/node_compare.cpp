#include "measure/node_compare.h"

#include <map>
#include <optional>

namespace edgec {
namespace {

constexpr int longest_chain = 4; // a Conv, its BatchNormalization, an Add and an activation

/// A network's nodes with what each computed.
class Recorded {
public:
  static Result<Recorded> run(const Graph &graph, const OpRegistry &ops, const Sample &sample, Isa isa) {
    Recorded recorded(graph);
    PlanOptions options;
    options.isa = isa;
    for (const NodeId id : graph.nodes()) {
      const Node &node = graph.node(id);
      if (node.outputs.empty() || !node.outputs[0].valid() || !graph.value(node.outputs[0]).type.is_tensor()) continue;
      recorded.nodes_.push_back(id);
      options.fetches.push_back(node.outputs[0]);
    }
    Runner runner(graph, ops, options);
    const std::vector<RuntimeValue> feeds(sample.begin(), sample.end());
    EDGEC_ASSIGN(recorded.values_, runner.run(feeds));
    for (std::size_t i = 0; i < recorded.nodes_.size(); ++i) {
      recorded.position_[recorded.nodes_[i]] = i;
      recorded.by_label_.emplace(graph.node(recorded.nodes_[i]).label(), recorded.nodes_[i]);
    }
    return recorded;
  }

  [[nodiscard]] const std::vector<NodeId> &nodes() const { return nodes_; }
  [[nodiscard]] const Node &node(NodeId id) const { return graph_->node(id); }
  [[nodiscard]] NodeId find(const std::string &label) const {
    const auto found = by_label_.find(label);
    return found == by_label_.end() ? NodeId{} : found->second;
  }
  /// The only reader of a node's first output.
  [[nodiscard]] NodeId next(NodeId id) const { return graph_->sole_user(node(id).outputs[0]); }
  /// Reals of a node's first output; nothing where it is no tensor of numbers.
  [[nodiscard]] std::optional<std::vector<double>> reals(NodeId id) const {
    const auto at = position_.find(id);
    if (at == position_.end()) return std::nullopt;
    const auto &tensor = values_[at->second].tensor;
    if (!tensor || tensor->dtype == DType::string) return std::nullopt;
    return real_values(*tensor, graph_->value(node(id).outputs[0]).type);
  }

private:
  explicit Recorded(const Graph &graph) : graph_(&graph) {}
  const Graph *graph_;
  std::vector<NodeId> nodes_;
  std::vector<RuntimeValue> values_;
  std::map<NodeId, std::size_t> position_;
  std::map<std::string, NodeId> by_label_;
};

/// The counterpart whose numbers are closest.
std::optional<NodeDifference> closest(const Recorded &reference, const Recorded &test, NodeId id) {
  const auto found = test.reals(id);
  if (!found) return std::nullopt;
  const Node &node = test.node(id);
  std::optional<NodeDifference> best;
  NodeId candidate = reference.find(node.label());
  for (int step = 0; step < longest_chain && candidate.valid(); ++step) {
    const auto wanted = reference.reals(candidate);
    if (wanted && wanted->size() == found->size()) {
      NodeDifference difference{node.label(), node.op, reference.node(candidate).label(), {}};
      difference.noise.add(*wanted, *found);
      if (!best || difference.noise.noise < best->noise.noise) best = std::move(difference);
    }
    candidate = reference.next(candidate);
  }
  return best;
}

} // namespace

Result<std::vector<NodeDifference>> compare_nodes(const Graph &reference, const Graph &test, const OpRegistry &ops,
                                                  const Sample &sample, Isa isa) {
  EDGEC_ASSIGN(const Recorded expected, Recorded::run(reference, ops, sample, isa).in("reference"));
  EDGEC_ASSIGN(const Recorded found, Recorded::run(test, ops, sample, isa));
  std::vector<NodeDifference> differences;
  for (const NodeId id : found.nodes()) {
    if (auto difference = closest(expected, found, id)) differences.push_back(*std::move(difference));
  }
  return differences;
}

} // namespace edgec
