#include "schemes/int8/border.h"

namespace edgec {
namespace {

ValueId add_border(Graph &graph, std::string op, ValueId input, NumberSpec number, const Quant &quant, Type type,
                   NodeId before) {
  const std::int64_t zero[] = {quant.zero_point()};
  Node node;
  node.op = std::move(op);
  node.inputs = {input, graph.add_constant(Tensor::scalar(quant.scale())),
                 graph.add_constant(from_int64s(number.storage(), {}, zero))};
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

} // namespace edgec
