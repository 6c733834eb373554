// Gives attention that is written out its operator, from opset 23 on; only when asked for (optimize --recognize):
//
//     s = MatMul(q, t)  p = Softmax(s * a + mask)  y = MatMul(p, v)         y = Attention<scale = a>(q, k, v, mask)
//
// (Vaswani et al. 2017, equation 1), where q, v are [batch, heads, length, size] and t is k with its last axes swapped;
// a Transpose makes k of it, which merge-transposes joins with the one that made t. The scale may stand at q or t as
// well, the mask may be missing. The heads must be known, the batch of all operands provably the same. Attention pads a
// mask of one key with -infinity where Add would broadcast it, and its mask enlarges no operand: open dims of a mask
// are believed to be those of the scores, or 1 where that does not matter. A query that sees no key gives 0 instead of
// NaN.
#include "ir/shape_facts.h"
#include "passes/pass.h"
#include "passes/rewriting/match.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "recognize-attention";

struct Attention {
  ValueId q, swapped_k, v, mask, scores;
  double scale = 1;
};

/// The one value that a product scales.
ValueId scaled(const Graph &graph, ValueId value, double &scale) {
  const Product terms = product(graph, value);
  if (terms.factors.size() != 1) return {};
  scale *= terms.number;
  return terms.factors[0];
}

/// A product of q and swapped k with a positive scale.
std::optional<Attention> scores(const Graph &graph, ValueId value) {
  Attention found;
  found.scores = value;
  const Node *matmul = made_by(graph, scaled(graph, value, found.scale), "MatMul");
  if (!matmul || graph.use_count(matmul->outputs[0]) != 1) return std::nullopt;
  found.q = scaled(graph, matmul->inputs[0], found.scale);
  found.swapped_k = scaled(graph, matmul->inputs[1], found.scale);
  if (!found.q.valid() || !found.swapped_k.valid() || found.scale <= 0) return std::nullopt;
  return found;
}

/// The scores that a softmax takes, with what is added to them.
std::optional<Attention> masked_scores(const Graph &graph, ValueId value) {
  const Node *sum = made_by(graph, value, "Add");
  if (!sum) return scores(graph, value);
  for (const std::size_t i : {0U, 1U}) {
    auto found = graph.use_count(sum->inputs[i]) == 1 ? scores(graph, sum->inputs[i]) : std::nullopt;
    if (!found) continue;
    found->mask = sum->inputs[1 - i];
    return found;
  }
  return std::nullopt;
}

std::optional<Attention> recognize(const Graph &graph, const Node &node) {
  if (!node.is("MatMul")) return std::nullopt;
  const Node *softmax = made_by(graph, node.inputs[0], "Softmax");
  if (!softmax || graph.use_count(softmax->outputs[0]) != 1 || graph.use_count(softmax->inputs[0]) != 1)
    return std::nullopt;
  const auto axis = softmax->get_int("axis", -1);
  if (axis != -1 && axis != 3) return std::nullopt;
  auto found = masked_scores(graph, softmax->inputs[0]);
  if (found) found->v = node.inputs[1];
  return found;
}

class Shapes {
public:
  Shapes(const Graph &graph, const ShapeFacts &facts) : graph_(graph), facts_(facts) {}

  /// Whether Attention takes these operands and means the same.
  [[nodiscard]] bool fit(const Attention &found) const {
    const DType dtype = graph_.value(found.q).type.dtype;
    for (const ValueId id : {found.q, found.swapped_k, found.v, found.scores}) {
      const Type &type = graph_.value(id).type;
      if (!is_wide_float(&type) || type.dtype != dtype || type.rank() != 4 || !facts_.shapes.contains(id)) return false;
    }
    const Shape &q = facts_.shapes.at(found.q);
    for (const ValueId id : {found.swapped_k, found.v}) {
      const Shape &other = facts_.shapes.at(id);
      if (!(q[0] == other[0]) || !(q[1] == other[1]) || !q[1].is_known()) return false;
    }
    return !found.mask.valid() || mask_fits(found);
  }

private:
  const Graph &graph_;
  const ShapeFacts &facts_;

  [[nodiscard]] bool mask_fits(const Attention &found) const {
    const Type &mask = graph_.value(found.mask).type, &scores = graph_.value(found.scores).type;
    if (mask.dtype != scores.dtype || mask.quant || !mask.shape || !scores.shape) return false;
    const std::size_t rank = mask.shape->size();
    if (rank < 2 || rank > 4) return false;
    const auto proven = facts_.shapes.find(found.mask);
    const Shape &wanted = facts_.shapes.at(found.scores);
    for (std::size_t i = 0; i < rank; ++i) {
      const Dim &dim = (*mask.shape)[i], &full = (*scores.shape)[4 - rank + i];
      const bool one = dim.is_known() && dim.size == 1 && i + 1 < rank;
      const bool same = dim == full || (proven != facts_.shapes.end() && proven->second[i] == wanted[4 - rank + i]);
      if (dim.is_known() && !one && !same) return false;
    }
    return true;
  }
};

void rewrite(Graph &graph, NodeId id, const Attention &found) {
  const std::vector<ValueId> operands = graph.node(id).inputs;
  Type type = graph.value(found.swapped_k).type;
  std::swap((*type.shape)[2], (*type.shape)[3]);
  const ValueId k = graph.add_op(
      {.op = "Transpose", .inputs = {found.swapped_k}, .attributes = {{"perm", std::vector<std::int64_t>{0, 1, 3, 2}}}},
      std::move(type), id);
  graph.set_op(id, "Attention");
  const std::vector<ValueId> inputs{found.q, k, found.v};
  for (std::size_t i = 0; i < inputs.size(); ++i) graph.set_input(id, i, inputs[i]);
  if (found.mask.valid()) graph.set_input(id, 3, found.mask);
  graph.set_attribute(id, "scale", static_cast<float>(found.scale));
  for (const ValueId operand : operands) remove_unread(graph, operand);
}

Result<bool> run(Graph &graph, const PassContext &context) {
  if (graph.opset() < 23) return false;
  bool changed = false;
  std::optional<ShapeFacts> facts;
  for (const NodeId id : graph.nodes()) {
    const auto found = graph.alive(id) ? recognize(graph, graph.node(id)) : std::nullopt;
    if (!found) continue;
    if (!facts) {
      EDGEC_ASSIGN(facts, shape_facts(graph, context.ops));
    }
    if (!Shapes(graph, *facts).fit(*found)) {
      context.skip(pass, graph.node(id).label(), "looks like attention, but its shapes are not known well enough");
      continue;
    }
    context.say(pass, graph.node(id).label(), "is Attention");
    rewrite(graph, id, *found);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef recognize_attention;
const PassDef recognize_attention{
    "recognize-attention", "Find Attention that is written out (opset 23; only with --recognize attention)", run};

} // namespace edgec::passes
