#include "passes/quantize/_int8_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "passes/channel_bias.h"

namespace edgec {

std::vector<std::size_t> data_operands(const OpDef &op, const Node &node) {
  std::vector<std::size_t> found;
  if (op.data_operands.size() == 1 && op.data_operands[0] == -1) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) found.push_back(i);
    return found;
  }
  if (op.data_operands.empty()) return {0};
  for (const int i : op.data_operands)
    if (static_cast<std::size_t>(i) < node.inputs.size()) found.push_back(static_cast<std::size_t>(i));
  return found;
}

namespace {

class Planner {
public:
  Planner(const Graph &graph, const PassContext &context, bool integer_results, const std::set<ValueId> &wide,
          const std::set<NodeId> *only)
      : graph_(graph), context_(context), integer_results_(integer_results), wide_(wide), only_(only) {}

  Int8Plan plan() {
    const auto order = graph_.nodes();
    for (const NodeId id : order)
      if ((!only_ || only_->contains(id)) && is_candidate(id)) candidates_.insert(id);
    find_absorbed();
    // Demand flows against the arrows: a value is quantized because some integer operator reads it.
    for (auto id = order.rbegin(); id != order.rend(); ++id) visit(*id);
    for (const ValueId input : wide_)
      if (plan_.quantized.contains(input)) read_as_reals(input, input);
    group_scales();
    for (const NodeId id : order) add_layer(id);
    return std::move(plan_);
  }

private:
  const Graph &graph_;
  const PassContext &context_;
  bool integer_results_;
  const std::set<ValueId> &wide_;
  const std::set<NodeId> *only_;
  std::map<NodeId, ValueId> wide_layers_; // and the input that they read
  Int8Plan plan_;
  std::set<NodeId> candidates_;

  bool stays_float(const Node &node, std::string why) const {
    context_.skip("quantize-int8", node.label(), std::move(why));
    return false;
  }

  [[nodiscard]] bool is_float_tensor(ValueId id) const {
    return id.valid() && graph_.value(id).type.is_tensor() && graph_.value(id).type.dtype == DType::float32;
  }

  [[nodiscard]] std::optional<WeightInfo> weights_of(const Node &node) const {
    const OpDef *op = context_.ops.find(node);
    if (!op || !op->weights) return std::nullopt;
    std::vector<const Type *> types;
    for (const ValueId v : node.inputs) types.push_back(v.valid() ? &graph_.value(v).type : nullptr);
    return op->weights(node, types);
  }

  [[nodiscard]] bool feeds_only_outputs(const Node &node) const {
    std::vector<ValueId> stack = node.outputs;
    while (!stack.empty()) {
      const ValueId id = stack.back();
      stack.pop_back();
      if (!id.valid()) continue;
      for (const Use use : graph_.value(id).uses) {
        const Node &reader = graph_.node(use.node);
        const OpDef *op = context_.ops.find(reader);
        if (!op || !op->moves_data) return false;
        stack.insert(stack.end(), reader.outputs.begin(), reader.outputs.end());
      }
    }
    return true;
  }

  [[nodiscard]] bool is_candidate(NodeId id) const {
    const Node &node = graph_.node(id);
    const OpDef *op = context_.ops.find(node);
    if (!op) return stays_float(node, fmt::format("operator {} is unknown and stays as it is", node.op));
    if (op->quant == QuantRule::not_data || node.outputs.empty() || !is_float_tensor(node.outputs[0])) return false;
    if (op->quant == QuantRule::float_only) return stays_float(node, fmt::format("{} has no integer form", node.op));
    if (op->quant != QuantRule::same_scale && !context_.scope.allows(node)) return stays_float(node, "left out as asked");
    if (op->quant == QuantRule::fixed_range && feeds_only_outputs(node))
      return stays_float(node, fmt::format("{} feeds only a graph output: float keeps the answers exact", node.op));
    if (const auto weights = weights_of(node)) return has_fixed_weights(node, *weights);
    return std::ranges::all_of(data_operands(*op, node),
                               [&](std::size_t i) { return !node.inputs[i].valid() || is_float_tensor(node.inputs[i]); });
  }

  [[nodiscard]] bool has_fixed_weights(const Node &node, const WeightInfo &weights) const {
    if (!is_float_tensor(node.input(weights.data))) return stays_float(node, "its data operand is not float32");
    const ValueId weight = node.input(weights.weight);
    if (!is_float_tensor(weight)) return stays_float(node, "its weight is not float32");
    if (!graph_.constant(weight)) return true; // both operands are data
    if (weights.bias && node.input(*weights.bias).valid() && !graph_.constant(node.input(*weights.bias)))
      return stays_float(node, "its bias is not constant");
    if (!channel_bias(graph_, node, weights)) return stays_float(node, "its bias is not one number an output channel");
    return true;
  }

  /// Relu and Clip directly after an integer node with a scale of its own: saturation may do their work.
  void find_absorbed() {
    for (const NodeId id : candidates_) {
      const Node &node = graph_.node(id);
      if (!as_clamp(graph_, node)) continue;
      const ValueId input = node.inputs[0];
      const NodeId producer = graph_.value(input).producer;
      if (!producer.valid() || !candidates_.contains(producer) || graph_.sole_user(input) != id) continue;
      const Node &before = graph_.node(producer);
      if (context_.ops.find(before)->quant == QuantRule::own_scale && !as_clamp(graph_, before))
        plan_.absorbed_by.emplace(id, producer);
    }
  }

  void visit(NodeId id) {
    if (!candidates_.contains(id)) return;
    const Node &node = graph_.node(id);
    const OpDef &op = *context_.ops.find(node);
    const bool wanted = plan_.quantized.contains(node.outputs[0]);
    if (op.quant == QuantRule::same_scale && !wanted) return;
    if (plan_.absorbed_by.contains(id)) {
      // Its producer computes its output; alone at the end of the graph it stays a float operator.
      if (wanted || integer_results_) plan_.quantized.insert(node.outputs[0]), plan_.integer.insert(id);
      else plan_.absorbed_by.erase(id);
      return;
    }
    const auto weights = weights_of(node);
    const bool clamped = is_before_absorbed(node);
    // A sum or an activation at the end of the graph gains nothing from codes.
    if (!wanted && !weights && !clamped && op.elementwise && !integer_results_) return;
    plan_.integer.insert(id);
    if (integer_results_ && !clamped && !node.is("Gemm")) plan_.quantized.insert(node.outputs[0]);
    if (op.quant == QuantRule::fixed_range) plan_.fixed_ranges[node.outputs[0]] = op.fixed_range;
    std::vector<std::size_t> operands = data_operands(op, node);
    if (weights) {
      operands = {weights->data};
      if (!graph_.constant(node.input(weights->weight))) operands.push_back(weights->weight);
    }
    for (const std::size_t i : operands)
      if (node.input(i).valid()) plan_.quantized.insert(node.input(i));
  }

  [[nodiscard]] bool is_before_absorbed(const Node &node) const {
    const NodeId reader = graph_.sole_user(node.outputs[0]);
    return reader.valid() && plan_.absorbed_by.contains(reader);
  }

  /// Whoever would read codes of `value`, the wide input or what was only moved since, reads reals instead.
  void read_as_reals(ValueId value, ValueId input) {
    auto &readers = plan_.wide[input];
    for (const Use &use : graph_.value(value).uses) {
      const Node &node = graph_.node(use.node);
      if (!plan_.integer.contains(use.node) || use.index >= node.inputs.size()) continue;
      plan_.integer.erase(use.node);
      std::erase_if(plan_.absorbed_by, [&](const auto &pair) {
        if (pair.second == use.node) plan_.integer.erase(pair.first);
        return pair.second == use.node;
      });
      if (value == input) readers.insert(use.node);
      const auto weights = weights_of(node);
      if (weights && graph_.constant(node.input(weights->weight))) wide_layers_[use.node] = input;
      if (context_.ops.find(node)->quant != QuantRule::same_scale) continue;
      for (const ValueId moved : node.outputs) {
        plan_.quantized.erase(moved);
        read_as_reals(moved, input);
      }
    }
  }

  ValueId representative(ValueId id) {
    while (plan_.group.at(id) != id) id = plan_.group.at(id);
    return id;
  }

  void group_scales() {
    for (const ValueId id : plan_.quantized) plan_.group[id] = id;
    for (const NodeId id : plan_.integer) {
      const Node &node = graph_.node(id);
      const OpDef &op = *context_.ops.find(node);
      if (op.quant != QuantRule::same_scale) continue;
      for (const ValueId out : node.outputs)
        for (const std::size_t i : data_operands(op, node)) {
          const ValueId in = node.inputs[i];
          if (!out.valid() || !in.valid() || !plan_.quantized.contains(out) || !plan_.quantized.contains(in)) continue;
          const ValueId a = representative(in), b = representative(out);
          plan_.group[std::max(a, b)] = std::min(a, b);
        }
    }
    for (auto &[id, root] : plan_.group) root = representative(id);
  }

  void add_layer(NodeId id) {
    const Node &node = graph_.node(id);
    const auto wide = wide_layers_.find(id);
    const auto weights = plan_.integer.contains(id) || wide != wide_layers_.end() ? weights_of(node) : std::nullopt;
    if (!weights || !graph_.constant(node.input(weights->weight))) return;
    Int8Layer layer{id, *weights, node.inputs[weights->data], node.outputs[0], std::nullopt, {}};
    if (wide != wide_layers_.end()) layer.wide = wide->second;
    const NodeId reader = graph_.sole_user(node.outputs[0]);
    const auto clamps = [&] {
      return layer.wide.valid() ? as_clamp(graph_, graph_.node(reader)).has_value() : plan_.absorbed_by.contains(reader);
    };
    if (reader.valid() && clamps()) {
      layer.target = graph_.node(reader).outputs[0];
      layer.clamp = as_clamp(graph_, graph_.node(reader));
    }
    plan_.layers.push_back(layer);
  }
};

} // namespace

Int8Plan plan_int8(const Graph &graph, const PassContext &context, bool integer_results, const std::set<ValueId> &wide,
                   const std::set<NodeId> *only) {
  return Planner(graph, context, integer_results, wide, only).plan();
}

} // namespace edgec
