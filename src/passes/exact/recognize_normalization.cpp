// Gives normalizations over the last axis that are written out their operator, where the network's opset has it:
//
//     d = x - ReduceMean(x)   y = d / Sqrt(ReduceMean(d^2) + e) * scale + shift      LayerNormalization (opset 17)
//     y = x / Sqrt(ReduceMean(x^2) + e) * scale                                      RMSNormalization (opset 23)
//
// (Ba, Kiros, Hinton 2016, equation 4; Zhang and Sennrich 2019, equation 4.) The division may be a product with
// Reciprocal, the square a Pow or a Mul. scale and shift are constants with an entry for each index of the last axis,
// whose size must be known; without a scale there are ones. Types must be float or double. Values between that
// something else reads stay for it.
#include <algorithm>

#include "passes/pass.h"
#include "passes/rewriting/match.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "recognize-normalization";

struct Norm {
  ValueId x, result; // result: before scale and shift
  double epsilon = 0;
  bool centred = false; // LayerNormalization
};

/// ReduceMean over the last axis: what of. None otherwise.
ValueId mean_of(const Graph &graph, ValueId value) {
  const Node *mean = made_by(graph, value, "ReduceMean");
  const auto axis = mean ? kept_axis(graph, *mean) : std::nullopt;
  return axis && *axis + 1 == *graph.value(mean->inputs[0]).type.rank() ? mean->inputs[0] : ValueId{};
}

/// Sqrt(ReduceMean(d^2) + epsilon): d and epsilon.
std::optional<std::pair<ValueId, double>> deviation(const Graph &graph, ValueId value) {
  const Node *root = made_by(graph, value, "Sqrt");
  const Node *sum = root ? made_by(graph, root->inputs[0], "Add") : nullptr;
  if (!sum) return std::nullopt;
  for (const std::size_t i : {0U, 1U}) {
    const auto epsilon = number(graph, sum->inputs[1 - i]);
    const ValueId square = epsilon ? mean_of(graph, sum->inputs[i]) : ValueId{};
    if (!square.valid() || *epsilon < 0) continue;
    const Product terms = product(graph, square);
    if (terms.number == 1 && terms.factors.size() == 2 && terms.factors[0] == terms.factors[1])
      return std::pair(terms.factors[0], *epsilon);
  }
  return std::nullopt;
}

/// d / deviation of d, or d * Reciprocal(deviation of d).
std::optional<Norm> norm(const Graph &graph, NodeId id) {
  const Node &node = graph.node(id);
  if (!node.is("Div") && !node.is("Mul")) return std::nullopt;
  for (const std::size_t i : {0U, 1U}) {
    const ValueId d = node.inputs[i];
    ValueId divisor = node.inputs[1 - i];
    if (node.is("Mul")) {
      const Node *reciprocal = made_by(graph, divisor, "Reciprocal");
      if (!reciprocal) continue;
      divisor = reciprocal->inputs[0];
    } else if (i == 1) {
      continue;
    }
    const auto found = deviation(graph, divisor);
    if (!found || found->first != d) continue;
    Norm out{d, node.outputs[0], found->second, false};
    const Node *difference = made_by(graph, d, "Sub");
    if (difference && mean_of(graph, difference->inputs[1]) == difference->inputs[0]) {
      out.x = difference->inputs[0];
      out.centred = true;
    }
    return out;
  }
  return std::nullopt;
}

/// The constant vector of `size` entries that the only reader of `value` applies; the reader too.
std::optional<std::pair<NodeId, ValueId>> applied(const Graph &graph, ValueId value, std::string_view op,
                                                  std::int64_t size) {
  const NodeId reader = graph.sole_user(value);
  if (!reader.valid() || !graph.node(reader).is(op)) return std::nullopt;
  const Node &node = graph.node(reader);
  const ValueId other = node.inputs[node.inputs[0] == value ? 1 : 0];
  const Tensor *data = graph.constant(other);
  if (!data || data->dims != Dims{size} || !is_wide_float(&graph.value(other).type)) return std::nullopt;
  if (!is_wide_float(&graph.value(node.outputs[0]).type)) return std::nullopt;
  return std::pair(reader, other);
}

std::int64_t last_dim(const Type &type) {
  return type.shape && !type.shape->empty() && type.shape->back().is_known() ? type.shape->back().size : 0;
}

bool rewrite(Graph &graph, NodeId id, const Norm &found, const PassContext &context) {
  const Type type = graph.value(found.x).type;
  const std::int64_t size = last_dim(type);
  if (size < 1 || graph.opset() < (found.centred ? 17 : 23)) return false;
  if (!is_wide_float(&type) || !is_wide_float(&graph.value(found.result).type)) return false;
  const auto scale = applied(graph, found.result, "Mul", size);
  const NodeId scaled = scale ? scale->first : id;
  const auto shift = found.centred ? applied(graph, graph.node(scaled).outputs[0], "Add", size) : std::nullopt;
  const std::vector<double> ones(static_cast<std::size_t>(size), 1);
  const ValueId factor = scale ? scale->second : graph.add_constant(from_doubles(type.dtype, {size}, ones));
  const std::vector<ValueId> operands = graph.node(id).inputs;
  context.say(pass, graph.node(id).label(), found.centred ? "is LayerNormalization" : "is RMSNormalization");
  graph.set_op(id, found.centred ? "LayerNormalization" : "RMSNormalization");
  graph.set_input(id, 0, found.x);
  graph.set_input(id, 1, factor);
  if (shift) graph.set_input(id, 2, shift->second);
  graph.set_attribute(id, "axis", std::int64_t{-1});
  graph.set_attribute(id, "epsilon", static_cast<float>(found.epsilon));
  if (scale) absorb(graph, id, scale->first);
  if (shift) absorb(graph, id, shift->first);
  for (const ValueId operand : operands) remove_unread(graph, operand);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  if (graph.opset() < 17) return false;
  for (const NodeId id : graph.nodes()) {
    const auto found = graph.alive(id) ? norm(graph, id) : std::nullopt;
    if (found) changed = rewrite(graph, id, *found, context) || changed;
  }
  return changed;
}

} // namespace

extern const PassDef recognize_normalization;
const PassDef recognize_normalization{"recognize-normalization",
                                      "Find LayerNormalization and RMSNormalization that are written out", run};

} // namespace edgec::passes
