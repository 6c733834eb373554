// Joins and removes activations that limit a value, Relu (to [0, infinity)) and Clip:
//
//     a = Relu(x)  y = Clip(a, zero, six)      becomes      y = Clip(x, zero, six)
//     a = Relu(x)  y = Relu(a)                 becomes      y = Relu(x)
//     uint8[4]{0.02,0} a = Add(x, x)  uint8[4]{0.02,0} y = Relu(a)      becomes      y = Add(x, x)
//
// Two limits become the one that does the same to every real number and to NaN; the first must have no other reader,
// bounds must be constants that do not cross, and types must be plain floats. A limit is removed where its operand
// cannot be outside: a quantized type holds scale * (code - zero point) for the codes of its integers only (Relu: the
// zero point is the lowest code; Clip to [0, 6]: also scale * (255 - zero point) <= 6), an operator of fixed range has
// that. Not where the limit also changes the quantization.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ir/clamp.h"
#include "passes/pass.h"
#include "passes/rewriting/rewrite.h"

namespace edgec::passes {
namespace {

constexpr std::string_view pass = "fuse-activation";
constexpr double infinity = std::numeric_limits<double>::infinity();

/// The limits that a node sets; nothing where it sets none, or its bounds are not known or cross.
std::optional<Clamp> limits(const Graph &graph, const Node &node) {
  const auto clamp = as_clamp(graph, node);
  return clamp && clamp->low <= clamp->high ? clamp : std::nullopt;
}

/// Reals that a value can hold, as far as its type or its producer's OpDef says.
Clamp range_of(const Graph &graph, ValueId id, const OpRegistry &ops) {
  const Type &type = graph.value(id).type;
  if (type.quant && type.quant->is_per_tensor() && bits(type.dtype) <= 16) {
    const auto [low, high] = integer_range(type.dtype);
    const double scale = type.quant->scale(), zero_point = type.quant->zero_point();
    return {scale * (static_cast<double>(low) - zero_point), scale * (static_cast<double>(high) - zero_point)};
  }
  const Node *producer = graph.producer(id);
  const OpDef *op = producer ? ops.find(*producer) : nullptr;
  if (!op || op->quant != QuantRule::fixed_range) return {};
  return {op->fixed_range.first, op->fixed_range.second};
}

/// Makes the node limit `x` instead: Relu where that says it, else Clip.
void set_limits(Graph &graph, NodeId id, ValueId x, Clamp to) {
  graph.remove_attribute(id, "min");
  graph.remove_attribute(id, "max");
  graph.drop_input(id, 1);
  graph.set_input(id, 0, x);
  if (to.low == 0 && to.high == infinity) return graph.set_op(id, "Relu");
  graph.set_op(id, "Clip");
  const bool operands = graph.opset() == 0 || graph.opset() >= 11;
  const DType dtype = graph.value(x).type.dtype;
  for (const auto &[bound, attribute, index] : {std::tuple(to.low, "min", 1U), std::tuple(to.high, "max", 2U)}) {
    if (std::isinf(bound) && (bound < 0) == (index == 1)) continue;
    if (operands)
      graph.set_input(id, index, graph.add_constant(from_doubles(dtype, {}, std::vector{bound})));
    else
      graph.set_attribute(id, attribute, static_cast<float>(bound));
  }
}

bool is_plain_float(const Type &type) { return is_float(type.dtype) && bits(type.dtype) >= 16 && !type.is_quantized(); }

/// Joins a limit with the one before it.
bool join(Graph &graph, NodeId id, Clamp outer, const PassContext &context) {
  const ValueId middle = graph.node(id).inputs[0];
  const NodeId first = graph.value(middle).producer;
  if (!first.valid() || graph.sole_user(middle) != id || !is_plain_float(graph.value(middle).type)) return false;
  const auto inner = limits(graph, graph.node(first));
  if (!inner || !is_plain_float(graph.value(graph.node(first).inputs[0]).type)) return false;
  const auto limited = [&](double bound) { return std::min(std::max(bound, outer.low), outer.high); };
  context.say(pass, graph.node(id).label(), "joined with " + graph.node(first).label());
  graph.add_origins(id, std::vector(graph.node(first).origins));
  set_limits(graph, id, graph.node(first).inputs[0], {limited(inner->low), limited(inner->high)});
  graph.remove(first);
  return true;
}

Result<bool> run(Graph &graph, const PassContext &context) {
  bool changed = false;
  for (const NodeId id : graph.nodes()) {
    const auto outer = limits(graph, graph.node(id));
    if (!outer) continue;
    const ValueId in = graph.node(id).inputs[0], out = graph.node(id).outputs[0];
    const Clamp inside = range_of(graph, in, context.ops);
    if (inside.low >= outer->low && inside.high <= outer->high && can_replace(graph, out, in)) {
      context.say(pass, graph.node(id).label(), "removed: its operand is always within its limits");
      graph.replace_uses(out, in);
      graph.remove(id);
      changed = true;
    } else {
      changed |= join(graph, id, *outer, context);
    }
  }
  return changed;
}

} // namespace

extern const PassDef fuse_activation;
const PassDef fuse_activation{"fuse-activation", "Join Relu and Clip, and remove those that change nothing", run};

} // namespace edgec::passes
