// Gives activations that are written out their operator, where the network's opset has it:
//
//     Clip(x + 3, 0, 6) / 6                                             HardSigmoid(x), alpha 1/6, beta 1/2 (opset 6)
//     x * HardSigmoid(x), alpha 1/6, beta 1/2                           HardSwish(x) (opset 14)
//     x * (1 + Erf(x / sqrt 2)) / 2                                     Gelu(x) (opset 20)
//     x * (1 + Tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2           Gelu<approximate = "tanh">(x) (opset 20)
//
// Factors may stand in any order (Howard et al. 2019, section 5.2; Hendrycks and Gimpel 2016, equation 2). Types must
// be float or double, and the result must have the shape of x. Not Swish (opset 24): onnxruntime 1.31 refuses files
// that hold it.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "ir/clamp.h"
#include "passes/pass.h"
#include "passes/rewriting/match.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "recognize-activation";

struct Activation {
  std::string_view op;
  ValueId x;
  std::vector<Attribute> attributes;
};

Attribute real(std::string name, double value) { return {std::move(name), static_cast<float>(value)}; }

/// Clip(x + 3, 0, 6): x.
ValueId clipped(const Graph &graph, ValueId value) {
  const Node *clip = made_by(graph, value, "Clip");
  if (!clip) return {};
  const auto clamp = as_clamp(graph, *clip);
  return clamp && clamp->low == 0 && clamp->high == 6 ? plus_number(graph, clip->inputs[0], 3) : ValueId{};
}

bool is_hard_sigmoid(const Node &node) {
  return node.is("HardSigmoid") && std::abs(node.get_float("alpha", 0.2F) - 1.0 / 6) < 1e-6 &&
         node.get_float("beta", 0.5F) == 0.5F;
}

std::optional<Activation> hard_sigmoid(const Graph &graph, const Product &terms) {
  if (terms.factors.size() != 1 || std::abs(terms.number * 6 - 1) > 1e-6) return std::nullopt;
  const ValueId x = clipped(graph, terms.factors[0]);
  if (!x.valid()) return std::nullopt;
  return Activation{"HardSigmoid", x, {real("alpha", 1.0 / 6), real("beta", 0.5)}};
}

/// x * Clip(x + 3, 0, 6) / 6, or x * HardSigmoid(x), in operators of the opset.
std::optional<Activation> hard_swish(const Graph &graph, const Product &terms, std::int64_t opset) {
  if (opset < 14 || terms.factors.size() != 2) return std::nullopt;
  for (const std::size_t i : {0U, 1U}) {
    const ValueId x = terms.factors[i], gate = terms.factors[1 - i];
    const Node *node = graph.producer(gate);
    const bool whole = node && is_hard_sigmoid(*node) && node->inputs[0] == x && terms.number == 1;
    if (whole || (clipped(graph, gate) == x && std::abs(terms.number * 6 - 1) < 1e-6))
      return Activation{"HardSwish", x, {}};
  }
  return std::nullopt;
}

/// What stands in Gelu's bracket beside 1, applied to x: Erf(x / sqrt 2), or Tanh of the cubic.
std::optional<Activation> gelu_of(const Graph &graph, ValueId inner, ValueId x) {
  if (const Node *erf = made_by(graph, inner, "Erf"))
    return is_product(product(graph, erf->inputs[0]), std::numbers::sqrt2 / 2, {x})
               ? std::optional(Activation{"Gelu", x, {}})
               : std::nullopt;
  const Node *tanh = made_by(graph, inner, "Tanh");
  if (!tanh) return std::nullopt;
  const Product scaled = product(graph, tanh->inputs[0]);
  const Node *sum = scaled.factors.size() == 1 ? made_by(graph, scaled.factors[0], "Add") : nullptr;
  if (!sum || std::abs(scaled.number - std::sqrt(2 / std::numbers::pi)) > 1e-6) return std::nullopt;
  for (const std::size_t i : {0U, 1U})
    if (sum->inputs[i] == x && is_product(product(graph, sum->inputs[1 - i]), 0.044715, {x, x, x}))
      return Activation{"Gelu", x, {{"approximate", std::string("tanh")}}};
  return std::nullopt;
}

std::optional<Activation> gelu(const Graph &graph, const Product &terms, std::int64_t opset) {
  if (opset < 20 || terms.factors.size() != 2 || terms.number != 0.5) return std::nullopt;
  for (const std::size_t i : {0U, 1U})
    if (const ValueId inner = plus_number(graph, terms.factors[1 - i], 1); inner.valid())
      if (auto found = gelu_of(graph, inner, terms.factors[i])) return found;
  return std::nullopt;
}

std::optional<Activation> recognize(const Graph &graph, NodeId id) {
  const Node &node = graph.node(id);
  if (!node.is("Mul") && !node.is("Div")) return std::nullopt;
  const ValueId out = node.outputs[0];
  const Type &type = graph.value(out).type;
  if (!is_wide_float(&type) || !type.shape) return std::nullopt;
  const Product terms = product(graph, out);
  const std::int64_t opset = graph.opset();
  auto found = hard_swish(graph, terms, opset);
  if (!found && opset >= 6) found = hard_sigmoid(graph, terms);
  if (!found) found = gelu(graph, terms, opset);
  if (!found || graph.value(found->x).type.dtype != type.dtype) return std::nullopt;
  const auto rank = graph.value(found->x).type.rank(); // numbers of higher rank would broadcast
  return rank && *rank == static_cast<int>(type.shape->size()) ? found : std::nullopt;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  std::vector<NodeId> ids = graph.nodes();
  std::ranges::reverse(ids); // the whole before its parts
  for (const NodeId id : ids) {
    const auto found = graph.alive(id) ? recognize(graph, id) : std::nullopt;
    if (!found) continue;
    context.say(pass, graph.node(id).label(), "is " + std::string(found->op));
    const std::vector<ValueId> operands = graph.node(id).inputs;
    graph.set_op(id, std::string(found->op));
    graph.drop_input(id, 1);
    graph.set_input(id, 0, found->x);
    for (const Attribute &attribute : found->attributes) graph.set_attribute(id, attribute.name, attribute.value);
    for (const ValueId operand : operands) remove_unread(graph, operand);
    changed = true;
  }
  return changed;
}

} // namespace

extern const PassDef recognize_activation;
const PassDef recognize_activation{"recognize-activation", "Find Gelu, HardSwish and HardSigmoid that are written out",
                                   run};

} // namespace edgec::passes
