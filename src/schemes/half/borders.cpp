#include "schemes/half/borders.h"

#include "schemes/half/placement.h"

namespace edgec {
namespace {

bool is_cast(const Node &node, DType to) { return node.is("Cast") && node.get_int("to", 0) == static_cast<int>(to); }

ValueId add_cast(Graph &graph, ValueId from, DType to, NodeId before = {}) {
  Node node{.op = "Cast", .inputs = {from}, .attributes = {{"to", static_cast<std::int64_t>(to)}}};
  Type type = graph.value(from).type;
  type.dtype = to;
  return graph.add_op(std::move(node), std::move(type), before);
}

void narrow_input(Graph &graph, ValueId input, DType dtype) {
  const std::vector<Use> uses = graph.value(input).uses;
  Type type = graph.value(input).type;
  type.dtype = dtype;
  graph.set_type(input, std::move(type));
  ValueId widened;
  const auto reals = [&] {
    return widened.valid() ? widened : widened = add_cast(graph, input, DType::float32, graph.nodes().front());
  };
  for (const Use &use : uses) {
    const std::size_t operands = graph.node(use.node).inputs.size();
    if (is_cast(graph.node(use.node), dtype))
      graph.replace_uses(graph.node(use.node).outputs[0], input);
    else if (use.index < operands)
      graph.set_input(use.node, use.index, reals());
    else
      graph.set_capture(use.node, use.index - operands, reals());
  }
}

void narrow_output(Graph &graph, std::size_t index, DType dtype) {
  const ValueId output = graph.outputs()[index].value;
  if (!is_float32(graph, output)) return;
  const Node *producer = graph.producer(output);
  const bool widens = producer != nullptr && is_cast(*producer, DType::float32) &&
                      graph.value(producer->inputs[0]).type.dtype == dtype && !graph.is_input(producer->inputs[0]);
  graph.set_output(index, widens ? producer->inputs[0] : add_cast(graph, output, dtype));
}

} // namespace

void narrow_borders(Graph &graph, DType dtype) {
  const std::vector<ValueId> inputs = graph.inputs();
  for (const ValueId input : inputs)
    if (is_float32(graph, input)) narrow_input(graph, input, dtype);
  for (std::size_t i = 0; i < graph.outputs().size(); ++i) narrow_output(graph, i, dtype);
  graph.remove_dead();
}

} // namespace edgec
