#include "autodiff/differentiate.h"

#include <algorithm>
#include <ranges>

#include <fmt/format.h>

#include "autodiff/recurrent.h"
#include "autodiff/rule.h"

namespace edgec {
namespace {

class Differentiation {
public:
  Differentiation(Graph &graph, const OpRegistry &ops) : graph_(graph), builder_(graph, ops) {}

  Result<std::vector<ValueId>> run(ValueId loss, std::span<const ValueId> of) {
    mark(of);
    const std::vector<NodeId> order = graph_.nodes();
    grow();
    sums_[loss.index] = builder_.constant(ones(loss));
    for (const NodeId id : std::ranges::reverse_view(order)) {
      const Node node = graph_.node(id); // a copy: nodes are added
      EDGEC_CHECK(back(node).in(fmt::format("node {} ({})", node.label(), node.op)));
    }
    std::vector<ValueId> found;
    for (const ValueId id : of) {
      ValueId sum = id.index < sums_.size() ? sums_[id.index] : ValueId{};
      if (!sum.valid()) sum = builder_.constant(zeros(id));
      found.push_back(sum);
    }
    EDGEC_CHECK(builder_.status());
    EDGEC_CHECK(graph_.sort());
    return found;
  }

private:
  Graph &graph_;
  Builder builder_;
  std::vector<char> depends_; ///< by value: on one of those that gradients are wanted of
  std::vector<ValueId> sums_; ///< by value: its gradient, as far as it is known

  Tensor filled(ValueId id, double value) const {
    const Type &type = graph_.value(id).type;
    const Dims dims = *type.concrete();
    return from_doubles(type.dtype, dims, std::vector<double>(static_cast<std::size_t>(*element_count(dims)), value));
  }
  Tensor ones(ValueId id) const { return filled(id, 1); }
  Tensor zeros(ValueId id) const { return filled(id, 0); }

  void grow() { sums_.resize(std::max(sums_.size(), graph_.value_bound())); }

  void mark(std::span<const ValueId> of) {
    depends_.assign(graph_.value_bound(), 0);
    for (const ValueId id : of) depends_[id.index] = 1;
    for (const NodeId id : graph_.nodes()) {
      const Node &node = graph_.node(id);
      const auto on = [&](ValueId x) { return x.valid() && depends_[x.index] != 0; };
      if (std::ranges::none_of(node.inputs, on) && std::ranges::none_of(node.captures, on)) continue;
      for (const ValueId y : node.outputs)
        if (y.valid() && is_float(graph_.value(y).type.dtype)) depends_[y.index] = 1;
    }
  }

  Status back(const Node &node) {
    std::vector<ValueId> gradients;
    bool any = false;
    for (const ValueId y : node.outputs) {
      gradients.push_back(y.valid() && depends_[y.index] != 0 ? sums_[y.index] : ValueId{});
      any = any || gradients.back().valid();
    }
    if (!any) return {};
    std::vector<char> wanted;
    for (const ValueId x : node.inputs) wanted.push_back(x.valid() ? depends_[x.index] : 0);
    std::vector<ValueId> given(node.inputs.size());
    const GradientRule *rule = find_gradient_rule(node);
    if (!rule || !node.captures.empty()) return unsupported("there is no gradient of this operator");
    rule->run({builder_, node, gradients, wanted, given});
    EDGEC_CHECK(builder_.status());
    grow();
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (wanted[i] == 0) continue;
      if (!given[i].valid()) return unsupported(fmt::format("there is no gradient of its operand {}", i));
      ValueId &sum = sums_[node.inputs[i].index];
      sum = sum.valid() ? builder_.add(sum, given[i]) : given[i];
      grow();
    }
    return builder_.status();
  }
};

} // namespace

Result<std::vector<ValueId>> differentiate(Graph &graph, const OpRegistry &ops, ValueId loss,
                                           std::span<const ValueId> of) {
  if (element_count(graph.value(loss).type.concrete().value_or(Dims{0})) != 1)
    return internal_error("the loss is not a scalar");
  graph.opsets.try_emplace("edgec", 1);
  EDGEC_CHECK(unroll_recurrent(graph, ops));
  return Differentiation(graph, ops).run(loss, of);
}

} // namespace edgec
