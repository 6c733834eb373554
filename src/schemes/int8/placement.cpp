#include "schemes/int8/placement.h"

#include <algorithm>

#include <fmt/format.h>

#include "ir/node_view.h"
#include "schemes/fitting/channel_bias.h"
#include "schemes/int8/options.h"

namespace edgec {

std::vector<std::size_t> data_operands(const OpDef &op, const Node &node) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    if (op.data_operands.contains(i)) found.push_back(i);
  return found;
}

bool reads_codes(const Int8Plan &plan, const OpRegistry &ops, const Graph &graph, const Use &use) {
  if (!plan.integer.contains(use.node)) return false;
  const Node &reader = graph.node(use.node);
  return use.index < reader.inputs.size() && ops.find(reader)->data_operands.contains(use.index);
}

namespace {

class Planner {
public:
  Planner(const Graph &graph, const Job &job, const NetworkSpec &spec) : graph_(graph), job_(job), spec_(spec) {
    for (const auto &[id, number] : spec_.other_values) {
      if (number && number->has_integer_kernels()) continue;
      reals_.insert(id);
      if (number) origin_[id] = id;
    }
  }

  Int8Plan plan() {
    const auto order = graph_.nodes();
    find_before_bodies(order);
    for (const NodeId id : order)
      if (!spec_.float_nodes.contains(id) && is_candidate(id)) candidates_.insert(id);
    find_absorbed();
    // Demand flows against the arrows: a value is quantized because some integer operator reads it.
    for (auto id = order.rbegin(); id != order.rend(); ++id) visit(*id);
    for (const NodeId id : order) move_codes_to_body(id);
    group_scales();
    for (const NodeId id : order) add_layer(id);
    if (plan_.layers.empty()) wide_.clear();
    for (const ValueId id : wide_) plan_.quantized[id] = *spec_.value(id), plan_.group[id] = id;
    return std::move(plan_);
  }

private:
  const Graph &graph_;
  const Job &job_;
  const NetworkSpec &spec_;
  std::set<ValueId> reals_;           // stay float, or are read as reals
  std::map<ValueId, ValueId> origin_; // values whose codes are read as reals, and what is moved of them -> the value
  std::set<ValueId> wide_;            // of these, those that something reads
  std::set<NodeId> layers_of_reals_;  // compute on reals, with weights in codes
  Int8Plan plan_;
  std::set<NodeId> candidates_;
  std::set<NodeId> before_bodies_; // move data that bodies read

  bool stays_float(const Node &node, std::string why) const {
    job_.skip(int8_name, node.label(), std::move(why));
    return false;
  }

  [[nodiscard]] bool is_float_tensor(ValueId id) const {
    return id.valid() && graph_.value(id).type.is_tensor() && graph_.value(id).type.dtype == DType::float32;
  }

  [[nodiscard]] bool feeds_only_outputs(const Node &node) const {
    std::vector<ValueId> stack = node.outputs;
    while (!stack.empty()) {
      const ValueId id = stack.back();
      stack.pop_back();
      if (!id.valid()) continue;
      for (const Use use : graph_.value(id).uses) {
        const Node &reader = graph_.node(use.node);
        const OpDef *op = job_.ops.find(reader);
        if (!op || !op->moves_data) return false;
        stack.insert(stack.end(), reader.outputs.begin(), reader.outputs.end());
      }
    }
    return true;
  }

  [[nodiscard]] bool is_candidate(NodeId id) {
    const Node &node = graph_.node(id);
    const OpDef *op = job_.ops.find(node);
    if (!op) return stays_float(node, fmt::format("operator {} is unknown and stays as it is", node.op));
    if (op->quant == QuantRule::not_data || node.outputs.empty() || !is_float_tensor(node.outputs[0])) return false;
    if (op->quant == QuantRule::float_only) return stays_float(node, fmt::format("{} has no integer form", node.op));
    if (op->quant != QuantRule::same_scale && !job_.scope.allows(node)) return stays_float(node, "left out as asked");
    if (op->quant == QuantRule::fixed_range && feeds_only_outputs(node))
      return stays_float(node, fmt::format("{} feeds only a graph output: float keeps the answers exact", node.op));
    const auto weights = weights_of(graph_, node, job_.ops);
    if (weights && !has_fixed_weights(node, *weights)) return false;
    if (!weights && !std::ranges::all_of(data_operands(*op, node), [&](std::size_t i) {
          return !node.inputs[i].valid() || is_float_tensor(node.inputs[i]);
        }))
      return false;
    return reads_possible_codes(id, *op, weights);
  }

  /// Data operands that are there.
  [[nodiscard]] std::vector<ValueId> data_of(const Node &node, const OpDef &op,
                                             const std::optional<WeightInfo> &weights) const {
    std::vector<std::size_t> places = data_operands(op, node);
    if (weights) {
      places = {weights->data};
      if (!graph_.constant(node.input(weights->weight))) places.push_back(weights->weight);
    }
    std::vector<ValueId> found;
    for (const std::size_t i : places)
      if (node.input(i).valid()) found.push_back(node.input(i));
    return found;
  }

  [[nodiscard]] bool is_read_by_body(ValueId id) const {
    return id.valid() && std::ranges::any_of(graph_.value(id).uses, [&](const Use &use) {
             return use.index >= graph_.node(use.node).inputs.size() || before_bodies_.contains(use.node);
           });
  }

  /// onnxruntime 1.31 carries a DequantizeLinear forward over what moves data, and aborts where it gets to a body: from
  /// there back to where data are computed all are codes, or none.
  void find_before_bodies(const std::vector<NodeId> &order) {
    for (auto id = order.rbegin(); id != order.rend(); ++id) {
      const Node &node = graph_.node(*id);
      const OpDef *op = job_.ops.find(node);
      if (!op || op->quant != QuantRule::same_scale) continue;
      if (std::ranges::none_of(node.outputs, [&](ValueId out) { return is_read_by_body(out); })) continue;
      before_bodies_.insert(*id);
      const bool reals = std::ranges::any_of(node.outputs, [&](ValueId out) { return reals_.contains(out); });
      for (const ValueId value : data_of(node, *op, std::nullopt)) {
        if (reals) reals_.insert(value);
        origin_.erase(value);
      }
    }
  }

  void move_codes_to_body(NodeId id) {
    if (!before_bodies_.contains(id) || plan_.integer.contains(id)) return;
    const Node &node = graph_.node(id);
    const auto data = data_of(node, *job_.ops.find(node), std::nullopt);
    if (data.empty() || !std::ranges::all_of(data, [&](ValueId value) { return plan_.quantized.contains(value); }))
      return;
    plan_.integer.insert(id);
    for (const ValueId out : node.outputs)
      if (out.valid()) plan_.quantized[out] = plan_.quantized.at(data.front());
  }

  void read_as_reals(ValueId value, const Node &reader) {
    wide_.insert(value);
    stays_float(reader,
                fmt::format("computes on the reals of {}{}'s {}-bit codes", graph_.is_input(value) ? "input " : "",
                            graph_.value(value).name, spec_.value(value)->bits));
  }

  bool reads_possible_codes(NodeId id, const OpDef &op, const std::optional<WeightInfo> &weights) {
    const Node &node = graph_.node(id);
    const auto data = data_of(node, op, weights);
    bool free = true;
    for (const ValueId value : data) {
      if (!reals_.contains(value)) continue;
      free = false;
      const auto origin = origin_.find(value);
      if (origin != origin_.end() && origin->second == value) read_as_reals(value, node);
      if (op.quant != QuantRule::same_scale) continue;
      for (const ValueId moved : node.outputs) {
        reals_.insert(moved);
        if (origin != origin_.end()) origin_.emplace(moved, origin->second);
      }
    }
    if (!free && weights && graph_.constant(node.input(weights->weight))) layers_of_reals_.insert(id);
    if (!free || weights) return free && !(spec_.integer_results && weights && reals_.contains(node.outputs[0]));
    // What follows a float operator gains nothing from codes of its own: they begin where a product reads.
    return !std::ranges::all_of(data, [&](ValueId value) {
      const NodeId producer = graph_.value(value).producer;
      return graph_.constant(value) ||
             (producer.valid() && !candidates_.contains(producer) && !spec_.fused.contains(producer));
    });
  }

  [[nodiscard]] bool has_fixed_weights(const Node &node, const WeightInfo &weights) const {
    if (!is_float_tensor(node.input(weights.data))) return stays_float(node, "its data operand is not float32");
    const ValueId weight = node.input(weights.weight);
    if (!is_float_tensor(weight)) return stays_float(node, "its weight is not float32");
    if (!graph_.constant(weight)) return true; // both operands are data
    if (weights.bias && node.input(*weights.bias).valid() && !graph_.constant(node.input(*weights.bias)))
      return stays_float(node, "its bias is not constant");
    if (!channel_bias(graph_, node, weights))
      return stays_float(node, "its bias is not one finite number per output channel");
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
      if (job_.ops.find(before)->quant == QuantRule::own_scale && !as_clamp(graph_, before))
        plan_.absorbed_by.emplace(id, producer);
    }
  }

  void visit(NodeId id) {
    if (!candidates_.contains(id)) return;
    const Node &node = graph_.node(id);
    const OpDef &op = *job_.ops.find(node);
    const bool wanted = plan_.quantized.contains(node.outputs[0]);
    if (op.quant == QuantRule::same_scale && !wanted) return;
    if (plan_.absorbed_by.contains(id)) {
      // Its producer computes its output; alone at the end of the graph it stays a float operator.
      if (wanted || (spec_.integer_results && !reals_.contains(node.outputs[0])))
        want_codes(node.outputs[0]), plan_.integer.insert(id);
      else
        plan_.absorbed_by.erase(id);
      return;
    }
    const auto weights = weights_of(graph_, node, job_.ops);
    const bool clamped = is_before_absorbed(node);
    // A sum or an activation at the end of the graph gains nothing from codes.
    if (!wanted && !weights && !clamped && op.elementwise && !spec_.integer_results) return;
    plan_.integer.insert(id);
    if (spec_.integer_results && !clamped && !node.is("Gemm")) want_codes(node.outputs[0]);
    if (op.quant == QuantRule::fixed_range) plan_.fixed_ranges[node.outputs[0]] = op.fixed_range;
    for (const ValueId operand : data_of(node, op, weights)) want_codes(operand);
  }

  void want_codes(ValueId value) {
    if (!reals_.contains(value)) plan_.quantized[value] = *spec_.value(value);
  }

  [[nodiscard]] bool is_before_absorbed(const Node &node) const {
    const NodeId reader = graph_.sole_user(node.outputs[0]);
    return reader.valid() && plan_.absorbed_by.contains(reader);
  }

  ValueId representative(ValueId id) {
    while (plan_.group.at(id) != id) id = plan_.group.at(id);
    return id;
  }

  void group_scales() {
    for (const auto &[id, number] : plan_.quantized) plan_.group[id] = id;
    for (const NodeId id : plan_.integer) {
      const Node &node = graph_.node(id);
      const OpDef &op = *job_.ops.find(node);
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
    const bool reads_reals = layers_of_reals_.contains(id);
    const auto weights = plan_.integer.contains(id) || reads_reals ? weights_of(graph_, node, job_.ops) : std::nullopt;
    if (!weights || !graph_.constant(node.input(weights->weight))) return;
    Int8Layer layer{.node = id,
                    .weights = *weights,
                    .number = spec_.weight(id),
                    .data = node.inputs[weights->data],
                    .target = node.outputs[0],
                    .reads_reals = reads_reals};
    if (const auto origin = origin_.find(layer.data); origin != origin_.end()) layer.origin = origin->second;
    const NodeId reader = graph_.sole_user(node.outputs[0]);
    layer.fused = reader.valid() && spec_.fused.contains(reader);
    const auto clamps = [&] {
      return reads_reals || layer.fused ? as_clamp(graph_, graph_.node(reader)).has_value()
                                        : plan_.absorbed_by.contains(reader);
    };
    if (reader.valid() && clamps()) {
      layer.target = graph_.node(reader).outputs[0];
      layer.clamp = as_clamp(graph_, graph_.node(reader));
    }
    plan_.layers.push_back(layer);
  }
};

} // namespace

Int8Plan plan_int8(const Graph &graph, const Job &job, const NetworkSpec &spec) {
  return Planner(graph, job, spec).plan();
}

} // namespace edgec
