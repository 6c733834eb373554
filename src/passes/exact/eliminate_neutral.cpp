// Removes arithmetic that changes nothing:
//
//     y = Mul(x, ones)    y = Add(x, zeros)    y = Pow(x, 1)    y = Where(true, x, z)    become   x
//     a = Neg(x)  y = Neg(a)                                                             become   x
//     a = Cast<to = double>(x)  y = Cast<to = float>(a)   with float x                   become   x
//
// Operands must be constant, and x must have the shape of the result already: neutral operands may also broadcast.
// Casts cancel where the type between them holds every number of x's type.
#include <algorithm>
#include <array>

#include "passes/pass.h"
#include "passes/rewriting/reshape.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "eliminate-neutral";

struct Neutral {
  std::string_view op;
  double element;
  bool either = false; // operands commute
};
constexpr Neutral neutrals[] = {
    {"Mul", 1, true}, {"Div", 1},       {"Add", 0, true},       {"Sub", 0},     {"Pow", 1}, {"And", 1, true},
    {"Or", 0, true},  {"Xor", 0, true}, {"BitwiseOr", 0, true}, {"BitShift", 0}};

constexpr std::array<std::string_view, 3> inverse_of_itself{"Neg", "Not", "BitwiseNot"};

bool all_are(const Graph &graph, ValueId id, double wanted) {
  const Tensor *data = graph.constant(id);
  if (!data || data->dtype == DType::string || graph.value(id).type.is_quantized() || bits(data->dtype) == 0)
    return false;
  return std::ranges::all_of(to_doubles(*data), [&](double element) { return element == wanted; });
}

/// The result has the dims of `x`: the other operand is of no higher rank, and each of its dims is 1 or the same
/// number.
bool keeps_shape(const Graph &graph, ValueId x, ValueId other) {
  const auto &mine = graph.value(x).type.shape, &its = graph.value(other).type.shape;
  if (!its) return false;
  if (its->empty()) return true;
  if (!mine || its->size() > mine->size()) return false;
  return std::equal(its->rbegin(), its->rend(), mine->rbegin(), [](const Dim &theirs, const Dim &own) {
    return theirs.size == 1 || (own.is_known() && theirs == own);
  });
}

/// The operand that a neutral element leaves as it is.
ValueId kept_operand(const Graph &graph, const Node &node) {
  for (const Neutral &rule : neutrals) {
    if (!node.is(rule.op) || node.inputs.size() != 2) continue;
    const ValueId a = node.inputs[0], b = node.inputs[1];
    if (all_are(graph, b, rule.element) && keeps_shape(graph, a, b)) return a;
    if (rule.either && all_are(graph, a, rule.element) && keeps_shape(graph, b, a)) return b;
  }
  return {};
}

/// The operand that Where takes everywhere.
ValueId chosen_operand(const Graph &graph, const Node &node) {
  if (!node.is("Where")) return {};
  for (const auto &[value, mine, other] : {std::tuple(1.0, 1U, 2U), std::tuple(0.0, 2U, 1U)}) {
    const ValueId x = node.input(mine);
    if (all_are(graph, node.inputs[0], value) && keeps_shape(graph, x, node.inputs[0]) &&
        keeps_shape(graph, x, node.input(other)))
      return x;
  }
  return {};
}

/// Whether every number of type `a` is one of type `b`.
bool holds(DType b, DType a) {
  if (a == b) return true;
  if (is_float(a))
    return (a == DType::float32 && b == DType::float64) ||
           ((a == DType::float16 || a == DType::bfloat16) && (b == DType::float32 || b == DType::float64));
  if (a == DType::boolean) return is_integer(b) || is_float(b);
  if (!is_integer(a)) return false;
  const auto [low, high] = integer_range(a);
  if (bits(a) > 32) return false;
  if (is_integer(b) && bits(b) <= 32) return integer_range(b).low <= low && integer_range(b).high >= high;
  if (is_integer(b)) return b == DType::int64 || low == 0;
  return b == DType::float64 || (b == DType::float32 && bits(a) <= 16);
}

/// What a node takes back: the operand of the node before it.
ValueId undone_operand(const Graph &graph, const Node &node) {
  const Node *before = node.inputs.size() == 1 ? graph.producer(node.inputs[0]) : nullptr;
  if (!before || before->op != node.op || !before->domain.empty() || !node.domain.empty() || before->inputs.size() != 1)
    return {};
  const ValueId x = before->inputs[0];
  if (std::ranges::find(inverse_of_itself, node.op) != inverse_of_itself.end()) return x;
  if (node.op != "Cast" || before->attribute("saturate")) return {};
  const DType first = graph.value(x).type.dtype, middle = graph.value(before->outputs[0]).type.dtype;
  return graph.value(node.outputs[0]).type.dtype == first && holds(middle, first) ? x : ValueId{};
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (node.outputs.size() != 1 || !node.domain.empty()) continue;
    ValueId x = kept_operand(graph, node);
    if (!x.valid()) x = chosen_operand(graph, node);
    const bool neutral = x.valid();
    if (!neutral) x = undone_operand(graph, node);
    if (!x.valid() || graph.constant(x) || !can_replace(graph, node.outputs[0], x)) continue;
    context.say(pass, node.label(),
                neutral ? "removed: it changes nothing" : "removed: it takes back the node before it");
    graph.replace_uses(node.outputs[0], x);
    graph.remove(id);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef eliminate_neutral;
const PassDef eliminate_neutral{"eliminate-neutral",
                                "Remove x * 1, x + 0, x ^ 1, double negation and casts there and back", run};

} // namespace edgec::passes
