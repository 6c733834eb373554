#include "passes/rewriting/computed.h"

#include <algorithm>

#include "ir/evaluate.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr int longest_chain = 4; // of nodes: a fill, its shape, what squeezes and casts it

bool holds_graphs(const Node &node) {
  return std::ranges::any_of(node.attributes, [](const Attribute &attribute) {
    return std::holds_alternative<SubGraph>(attribute.value) ||
           std::holds_alternative<std::vector<SubGraph>>(attribute.value);
  });
}

/// What a value holds, computed over at most `depth` nodes.
std::optional<Tensor> computed(const Graph &graph, ValueId id, std::int64_t largest, const OpRegistry &ops, int depth) {
  if (!id.valid() || graph.value(id).type.is_quantized()) return std::nullopt;
  const auto dims = graph.value(id).type.concrete();
  const auto count = dims ? element_count(*dims) : std::nullopt;
  if (!count || *count > largest) return std::nullopt;
  if (const Tensor *data = graph.constant(id)) return *data;
  const Node *node = graph.producer(id);
  const OpDef *op = node && depth > 0 ? computable(*node, ops) : nullptr;
  if (!op || node->outputs.size() != 1) return std::nullopt;
  std::vector<Tensor> made;
  made.reserve(node->inputs.size());
  std::vector<const Tensor *> inputs;
  for (const ValueId operand : node->inputs) {
    auto tensor = computed(graph, operand, largest, ops, depth - 1);
    if (operand.valid() && !tensor) return std::nullopt;
    inputs.push_back(tensor ? &made.emplace_back(std::move(*tensor)) : nullptr);
  }
  auto results = evaluate_node(*op, *node, graph.opset(node->domain), inputs);
  return results && results->size() == 1 ? std::move(results->front().tensor) : std::nullopt;
}

} // namespace

const OpDef *computable(const Node &node, const OpRegistry &ops) {
  const OpDef *op = ops.find(node);
  const bool runs = op && op->deterministic && op->reference && !node.inputs.empty();
  return runs && !holds_graphs(node) && !node.is("DequantizeLinear") ? op : nullptr;
}

std::optional<std::vector<double>> computed_reals(const Graph &graph, ValueId id, std::int64_t largest,
                                                  const OpRegistry &ops) {
  const auto tensor = computed(graph, id, largest, ops, longest_chain);
  if (!tensor || (!is_float(tensor->dtype) && !is_integer(tensor->dtype))) return std::nullopt;
  return to_doubles(*tensor);
}

bool is_made(const Graph &graph, ValueId id) {
  const Node *node = id.valid() ? graph.producer(id) : nullptr;
  return node && (node->is("ConstantOfShape") || node->is("Expand")) && graph.value(id).type.concrete() &&
         std::ranges::all_of(node->inputs, [&](ValueId operand) { return graph.constant(operand) != nullptr; });
}

} // namespace edgec::passes
