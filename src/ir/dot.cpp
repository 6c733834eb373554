#include "ir/dot.h"

#include <fmt/format.h>

#include "ir/text.h"

namespace edgec {

std::string to_dot(const Graph &graph) {
  std::string out = "digraph " + quoted_text(graph.name) + " {\n  node [shape=box, fontname=\"sans-serif\"]\n";
  const auto add = [&](const std::string &id, std::string_view label, std::string_view style) {
    out += fmt::format("  {} [label={}{}]\n", id, quoted_text(label), style);
  };
  const auto source = [&](ValueId id) {
    const NodeId producer = graph.value(id).producer;
    return producer.valid() ? fmt::format("n{}", producer.index) : fmt::format("v{}", id.index);
  };
  for (const ValueId id : graph.values()) {
    const Value &value = graph.value(id);
    if (value.producer.valid()) continue;
    const std::string name = value.name.empty() ? "" : value.name + "\n";
    if (!value.data)
      add(source(id), name + to_string(value.type), ", shape=ellipse");
    else if (!value.data->dims.empty())
      add(source(id), name + to_string(Type::of(*value.data)), ", shape=note, color=gray");
  }
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    add(fmt::format("n{}", id.index), node.op + (node.name.empty() ? "" : "\n" + node.name), "");
    for (const auto *operands : {&node.inputs, &node.captures})
      for (const ValueId operand : *operands) {
        const Tensor *constant = graph.constant(operand);
        if (!operand.valid() || (constant && constant->dims.empty())) continue;
        const std::string label = constant ? "" : to_string(graph.value(operand).type);
        out += fmt::format("  {} -> n{} [label={}]\n", source(operand), id.index, quoted_text(label));
      }
  }
  std::size_t index = 0;
  for (const GraphOutput &output : graph.outputs()) {
    const std::string id = fmt::format("o{}", index++);
    add(id, output.name, ", shape=ellipse");
    out += fmt::format("  {} -> {} [label={}]\n", source(output.value), id,
                       quoted_text(to_string(graph.value(output.value).type)));
  }
  return out + "}\n";
}

} // namespace edgec
