#include "formats/onnx/opset_change.h"

#include <fmt/format.h>

namespace edgec::proto {

std::int64_t OpsetChange::dim(std::size_t axis) const {
  if (!has(0) || !type(0).shape || axis >= type(0).shape->size()) return -1;
  return (*type(0).shape)[axis].size;
}

const Tensor *OpsetChange::constant(std::size_t input) const {
  const ValueId value = node().input(input);
  if (!value.valid()) return nullptr;
  if (const Tensor *data = graph.constant(value)) return data;
  const Node *producer = graph.producer(value);
  return producer && producer->is("Constant") ? producer->get<Tensor>("value") : nullptr;
}

bool OpsetChange::is_empty(std::size_t input) const {
  const Tensor *data = constant(input);
  return !has(input) || (data && data->size() == 0);
}

bool OpsetChange::is_read(std::size_t output) const {
  const auto &outputs = node().outputs;
  return output < outputs.size() && outputs[output].valid() && graph.use_count(outputs[output]) > 0;
}

ValueId OpsetChange::put(std::string op, std::vector<ValueId> inputs, std::vector<Attribute> attributes,
                         Type type) const {
  Node made{
      .op = std::move(op), .inputs = std::move(inputs), .attributes = std::move(attributes), .origins = node().origins};
  return graph.add_op(std::move(made), std::move(type), id);
}

void OpsetChange::put_after(std::string op, std::vector<ValueId> more, std::vector<Attribute> attributes, Type type,
                            std::size_t output) const {
  const ValueId given = node().outputs[output]; // until it is detached
  Node made{.op = std::move(op),
            .inputs = {graph.detach_output(id, output, std::move(type))},
            .outputs = {given},
            .attributes = std::move(attributes),
            .origins = node().origins};
  made.inputs.insert(made.inputs.end(), more.begin(), more.end());
  graph.add_node(std::move(made));
}

void OpsetChange::set_input(std::size_t input, ValueId value) const {
  const ValueId old = node().input(input);
  graph.set_input(id, input, value);
  if (old.valid() && graph.constant(old) && graph.use_count(old) == 0) graph.remove(old);
}

void OpsetChange::drop_inputs(std::size_t count) const {
  for (std::size_t i = node().inputs.size(); i > count; --i) set_input(i - 1, {});
  if (node().inputs.size() > count) graph.drop_input(id, count);
}

void OpsetChange::become_unary(const std::string &op) const {
  const std::vector<Attribute> attributes = node().attributes;
  for (const Attribute &attribute : attributes) graph.remove_attribute(id, attribute.name);
  drop_inputs(1);
  graph.set_op(id, op);
}

Error OpsetChange::refuse(const std::string &what) const {
  return unsupported(fmt::format("node {}: {} of opset {} does not take {}", node().label(), node().op, to, what));
}

Attribute int_attribute(std::string name, std::int64_t value) { return {std::move(name), value}; }

Attribute ints_attribute(std::string name, std::vector<std::int64_t> values) {
  return {std::move(name), std::move(values)};
}

Tensor int_row(std::vector<std::int64_t> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::of({count}, std::move(values));
}

} // namespace edgec::proto
