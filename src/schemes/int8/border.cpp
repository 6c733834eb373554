#include "schemes/int8/border.h"

#include "ir/clamp.h"

namespace edgec {
namespace {

ValueId add_border(Graph &graph, std::string op, ValueId input, NumberSpec number, const Quant &quant, Type type,
                   NodeId before) {
  const std::int64_t zero[] = {quant.zero_point()};
  Node node{.op = std::move(op),
            .inputs = {input, graph.add_constant(Tensor::scalar(quant.scale())),
                       graph.add_constant(from_int64s(number.storage(), {}, zero))}};
  return graph.add_op(std::move(node), std::move(type), before);
}

} // namespace

ValueId add_quantize(Graph &graph, ValueId reals, NumberSpec number, const Quant &quant, NodeId before) {
  Type codes = graph.value(reals).type;
  codes.dtype = number.storage();
  codes.quant = quant;
  return add_border(graph, "QuantizeLinear", reals, number, quant, std::move(codes), before);
}

ValueId add_dequantize(Graph &graph, ValueId codes, NumberSpec number, const Quant &quant, Type reals, NodeId before) {
  return add_border(graph, "DequantizeLinear", codes, number, quant, std::move(reals), before);
}

void drop_saturated_clamps(Graph &graph, const std::set<NodeId> *ends) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("QuantizeLinear")) continue;
    const Type &codes = graph.value(node.outputs[0]).type;
    const NodeId before = graph.value(node.inputs[0]).producer;
    if (!codes.quant || !before.valid()) continue;
    if (bits(codes.dtype) != 4 && (ends == nullptr || !ends->contains(before))) continue;
    const auto clamp = as_clamp(graph, graph.node(before));
    if (!clamp || graph.sole_user(node.inputs[0]) != id) continue;
    if (!saturates_within(codes, *clamp)) continue;
    graph.add_origins(id, graph.node(before).origins);
    graph.set_input(id, 0, graph.node(before).inputs[0]);
    graph.remove(before);
  }
}

} // namespace edgec
