#include "schemes/half/placement.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "formats/onnx/element_types.h"
#include "ir/clamp.h"
#include "schemes/fitting/weights.h"
#include "schemes/half/half_range.h"

namespace edgec {
namespace {

constexpr DType half = DType::float16;

bool has_bodies(const Node &node) {
  return std::ranges::any_of(node.attributes, [](const Attribute &attribute) {
    return std::holds_alternative<SubGraph>(attribute.value) ||
           std::holds_alternative<std::vector<SubGraph>>(attribute.value);
  });
}

/// What onnxruntime (1.31) loads with float16 and then does not compute, though ONNX has it.
bool fails_on_half(const Node &node) {
  if (node.is("ScatterElements") || node.is("ScatterND")) return node.get_string("reduction", "none") != "none";
  return node.is("MeanVarianceNormalization");
}

class Planner {
public:
  Planner(const Graph &graph, const RangeStatistics &seen, const Job &job) : graph_(graph), seen_(seen), job_(job) {}

  HalfPlan plan() {
    for (const NodeId id : graph_.nodes()) {
      if (!touches_float32(id)) continue;
      std::string why = why_float(id);
      if (why.empty())
        plan_.nodes.insert(id);
      else
        plan_.float_ones.emplace(id, std::move(why));
    }
    leave_islands(graph_, plan_, job_);
    return std::move(plan_);
  }

private:
  const Graph &graph_;
  const RangeStatistics &seen_;
  const Job &job_;
  HalfPlan plan_;
  std::map<ValueId, HalfMisfit> constants_; // what was found of them
  std::set<ValueId> unbounded_;             // may be beyond float16
  std::set<ValueId> counted_;               // computed from integers alone

  [[nodiscard]] const OpDef *op_of(const Node &node) const { return job_.ops.find(node); }

  [[nodiscard]] bool touches_float32(NodeId id) const {
    const Node &node = graph_.node(id);
    const auto is = [&](ValueId v) { return is_float32(graph_, v); };
    return std::ranges::any_of(node.inputs, is) || std::ranges::any_of(node.outputs, is) ||
           std::ranges::any_of(node.captures, is);
  }

  /// Empty: it can compute on float16.
  std::string why_float(NodeId id) {
    const Node &node = graph_.node(id);
    if (has_bodies(node)) return "its bodies compute on float32";
    const OpDef *op = op_of(node);
    if (op == nullptr || !node.domain.empty()) return fmt::format("{} is not ONNX's own operator", node.op);
    if (!job_.scope.allows(node)) return "left out as asked";
    for (const auto &list : {node.inputs, node.outputs})
      for (const ValueId v : list)
        if (v.valid() && graph_.value(v).type.is_quantized()) return "computes on codes";
    if (fails_on_half(node)) return fmt::format("onnxruntime computes no {} of float16", node.op);
    std::string why = unheld(node, *op);
    if (follow_integers(node)) return "is computed from integers alone, which float16 may not hold (a mask, positions)";
    if (!why.empty()) return why;
    return schema_allows(node, *op) ? std::string() : fmt::format("ONNX has no {} of float16 here", node.op);
  }

  /// Whether all that it reads but small constants are integers, or was computed from such.
  bool follow_integers(const Node &node) {
    constexpr std::int64_t small = 128;
    for (const ValueId v : node.inputs) {
      if (!v.valid() || counted_.contains(v)) continue;
      const Tensor *data = graph_.constant(v);
      if (data != nullptr ? data->dtype == DType::float32 && data->size() > small
                          : is_float(graph_.value(v).type.dtype))
        return false;
    }
    counted_.insert(node.outputs.begin(), node.outputs.end());
    return true;
  }

  /// What float16 does not hold of what a node reads and gives.
  std::string unheld(const Node &node, const OpDef &op) {
    std::string why;
    bool unbounded = false;
    for (const ValueId v : node.inputs) {
      if (!is_float32(graph_, v)) continue;
      const HalfMisfit misfit = misfit_of(v);
      if (misfit && why.empty()) why = fmt::format("{} {}", graph_.value(v).name, misfit.why);
      if (!unbounded_.contains(v) && !(misfit.overflow && graph_.constant(v) != nullptr)) continue;
      unbounded = true;
      if (why.empty()) why = fmt::format("{} may be beyond what float16 holds", graph_.value(v).name);
    }
    if (unbounded && op.quant != QuantRule::fixed_range && !as_clamp(graph_, node))
      unbounded_.insert(node.outputs.begin(), node.outputs.end());
    for (const ValueId v : node.outputs)
      if (const HalfMisfit misfit = is_float32(graph_, v) ? misfit_of(v) : HalfMisfit{}; misfit && why.empty())
        why = fmt::format("{} {}", graph_.value(v).name, misfit.why);
    return why;
  }

  HalfMisfit misfit_of(ValueId id) {
    if (const Tensor *data = graph_.constant(id)) {
      const auto known = constants_.find(id);
      return known != constants_.end() ? known->second : constants_[id] = half_misfit(*data, half);
    }
    const auto seen = seen_.find(id);
    return seen == seen_.end() ? HalfMisfit{} : half_misfit(seen->second, half);
  }

  /// It has operands or outputs of float16, and with the operands all its float32 outputs become float16.
  [[nodiscard]] bool schema_allows(const Node &node, const OpDef &op) const {
    const auto possible = may_hold(node, graph_.opset(), half);
    if (!possible || op.infer == nullptr) return false;
    std::vector<Type> types;
    std::vector<const Type *> inputs;
    std::vector<const Tensor *> constants;
    types.reserve(node.inputs.size());
    bool any = std::ranges::any_of(node.outputs, [&](ValueId v) { return is_float32(graph_, v); });
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId v = node.inputs[i];
      types.push_back(v.valid() ? graph_.value(v).type : Type());
      if (is_float32(graph_, v) && possible->operands[i]) types.back().dtype = half, any = true;
      inputs.push_back(v.valid() ? &types.back() : nullptr);
      constants.push_back(graph_.constant(v));
    }
    if (!any) return false;
    const auto found = op.infer({node, graph_.opset(), inputs, constants, &job_.ops});
    if (!found) return false;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId v = node.outputs[i];
      if (!v.valid()) continue;
      if (!graph_.value(v).type.is_tensor()) return false;
      if (is_float32(graph_, v) && (!possible->outputs[i] || i >= found->size() || (*found)[i].dtype != half))
        return false;
    }
    return true;
  }
};

bool is_cheap(const Graph &graph, const Node &node, const Job &job) {
  const OpDef *op = job.ops.find(node);
  return (op->moves_data || op->elementwise || op->shape_only) && std::ranges::none_of(node.inputs, [&](ValueId v) {
           return graph.constant(v) != nullptr && is_float32(graph, v) && graph.constant(v)->size() > 1;
         });
}

bool stands_alone(const Graph &graph, const Node &node, const HalfPlan &plan) {
  for (const ValueId v : node.inputs)
    if (is_float32(graph, v) && graph.constant(v) == nullptr && plan.nodes.contains(graph.value(v).producer))
      return false;
  for (const ValueId v : node.outputs)
    if (is_float32(graph, v) &&
        std::ranges::any_of(graph.value(v).uses, [&](const Use &use) { return plan.nodes.contains(use.node); }))
      return false;
  return true;
}

} // namespace

void leave_islands(const Graph &graph, HalfPlan &plan, const Job &job) {
  for (bool changed = true; std::exchange(changed, false);)
    for (const NodeId id : std::vector(plan.nodes.begin(), plan.nodes.end())) {
      const Node &node = graph.node(id);
      if (!is_cheap(graph, node, job) || !stands_alone(graph, node, plan)) continue;
      plan.nodes.erase(id);
      if (std::ranges::any_of(node.outputs, [&](ValueId v) { return is_float32(graph, v); }))
        plan.float_ones.emplace(id, "stands between operators that stay float32");
      changed = true;
    }
}

void HalfPlan::leave(NodeId node, std::string why) {
  nodes.erase(node);
  exact.insert(node);
  float_ones.emplace(node, std::move(why));
}

bool is_float32(const Graph &graph, ValueId id) {
  return id.valid() && graph.value(id).type.is_tensor() && graph.value(id).type.dtype == DType::float32;
}

bool HalfPlan::reads_half(const Graph &graph, const Use &use) const {
  if (!nodes.contains(use.node)) return false;
  const Node &node = graph.node(use.node);
  const auto possible = may_hold(node, graph.opset(), half);
  return possible && use.index < possible->operands.size() && possible->operands[use.index];
}

HalfPlan plan_half(const Graph &graph, const RangeStatistics &seen, const Job &job) {
  return Planner(graph, seen, job).plan();
}

} // namespace edgec
