// Uses what can be proven of shapes whose dims are not all known (ir/shape_facts.h):
//
//     s = Shape(x)  n = Gather(s, one)  with float[N,4] x      becomes      <int64 n = {4}>
//     the first dim of x, and the first dim of Relu(x)         become       one value
//     y = Reshape(x, computed)  with float[?,8] y              becomes      y = Reshape(x, {-1, 8})
//
// A target of Reshape becomes constant where each of its dims is a number above 0, the dim of x at the same place (0),
// or the only other one (-1; then nothing is copied by 0, so that empty tensors keep their shape).
#include <algorithm>
#include <fmt/format.h>

#include "ir/shape_facts.h"
#include "passes/pass.h"
#include "passes/rewriting/reshape.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "fold-shapes";

bool is_plain_integers(const Type &type) {
  return type.is_tensor() && !type.is_quantized() && (type.dtype == DType::int64 || type.dtype == DType::int32) &&
         type.concrete();
}

bool has_symbol(const Shape &elements) {
  return std::ranges::any_of(elements, [](const Dim &dim) { return !dim.symbol.empty(); });
}

/// Same element type, rank and elements.
std::string key(const Type &type, const Shape &elements) {
  std::string text = fmt::format("{} {}", static_cast<int>(type.dtype), *type.rank());
  for (const Dim &dim : elements) text += dim.symbol.empty() ? fmt::format(" {}", dim.size) : " s" + dim.symbol;
  return text;
}

/// Replaces a value that holds numbers, or the same dims as a value before it.
class Elements {
public:
  Elements(Graph &graph, const ShapeFacts &facts, const PassContext &context)
      : graph_(graph), facts_(facts), context_(context) {}

  bool replace(NodeId id) {
    const Node &node = graph_.node(id);
    if (node.outputs.size() != 1) return false;
    const ValueId out = node.outputs[0];
    const auto known = facts_.elements.find(out);
    const Type type = graph_.value(out).type;
    if (known == facts_.elements.end() || !is_plain_integers(type) || graph_.use_count(out) == 0) return false;
    const std::string label = node.label();
    if (!has_symbol(known->second)) {
      std::vector<std::int64_t> numbers;
      for (const Dim &dim : known->second) numbers.push_back(dim.size);
      replace_by_constant(graph_, out, from_int64s(type.dtype, *type.concrete(), numbers));
      graph_.remove(id);
      context_.say(pass, label, "computed");
      return true;
    }
    const auto [first, fresh] = first_.emplace(key(type, known->second), out);
    if (fresh || !can_replace(graph_, out, first->second)) return false;
    graph_.replace_uses(out, first->second);
    graph_.remove(id);
    context_.say(pass, label, "is the same as a dim computed before");
    return true;
  }

private:
  Graph &graph_;
  const ShapeFacts &facts_;
  const PassContext &context_;
  std::map<std::string, ValueId> first_;
};

bool fix_target(Graph &graph, NodeId id, const ShapeFacts &facts, const PassContext &context) {
  const Node &node = graph.node(id);
  if (!node.is("Reshape") || !node.input(1).valid() || graph.constant(node.inputs[1])) return false;
  const auto target = reshape_target(facts, node.inputs[0], node.outputs[0]);
  if (!target) return false;
  context.say(pass, node.label(), "its target shape is constant");
  const auto rank = static_cast<std::int64_t>(target->size());
  graph.set_input(id, 1, graph.add_constant(Tensor::of<std::int64_t>({rank}, *target)));
  graph.remove_attribute(id, "allowzero");
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  const auto reads_shape = [&](NodeId id) {
    const OpDef *op = context.ops.find(graph.node(id));
    return op && op->shape_only;
  };
  if (std::ranges::none_of(graph.nodes(), reads_shape)) return false;
  EDGEC_ASSIGN(const ShapeFacts facts, shape_facts(graph, context.ops));
  bool changed = false;
  Elements elements(graph, facts, context);
  for (const NodeId id : graph.nodes()) changed = elements.replace(id) || changed;
  for (const NodeId id : graph.nodes()) changed = fix_target(graph, id, facts, context) || changed;
  return changed;
}

} // namespace

extern const PassDef fold_shapes;
const PassDef fold_shapes{"fold-shapes", "Compute known dims of shapes that are not all known, merge equal ones", run};

} // namespace edgec::passes
