#include "formats/onnx/schemas.h"

#include <onnx/defs/data_type_utils.h>
#include <onnx/defs/schema.h>

#include <fmt/format.h>

#include "formats/onnx/functions.h"
#include "ir/inline.h"

namespace edgec::proto {
namespace {

const onnx::OpSchema *schema_of(const std::string &op, std::int64_t opset) {
  const auto *schema = onnx::OpSchemaRegistry::Schema(op, static_cast<int>(opset), "");
  return schema && !schema->Deprecated() ? schema : nullptr;
}

/// The first opset that has the operator.
std::int64_t first_opset(const std::string &op, std::int64_t present) {
  std::int64_t first = 1;
  while (first < present && !schema_of(op, first)) ++first;
  return first;
}

bool is_function(const onnx::OpSchema &schema) { return schema.HasFunction() || schema.HasContextDependentFunction(); }

std::vector<SubGraph> bodies_of(const Node &node) {
  std::vector<SubGraph> bodies;
  for (const Attribute &attribute : node.attributes) {
    if (const auto *one = std::get_if<SubGraph>(&attribute.value)) bodies.push_back(*one);
    if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value)) bodies.insert(bodies.end(), many->begin(), many->end());
  }
  return bodies;
}

Status find_absent(const Graph &graph, std::int64_t present, std::int64_t target, OpTypes &found) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const auto *schema = node.domain.empty() ? schema_of(node.op, present) : nullptr;
    if (schema && !schema_of(node.op, target) && first_opset(node.op, present) > target) {
      if (!is_function(*schema))
        return unsupported(fmt::format("node {}: operator {} came with opset {} and is not defined by older ones",
                                       node.label(), node.op, first_opset(node.op, present)));
      found.insert(node.op);
    }
    for (const SubGraph &body : bodies_of(node)) EDGEC_CHECK(find_absent(*body, present, target, found));
  }
  return {};
}

bool same_value(const onnx::AttributeProto &a, onnx::AttributeProto b) {
  b.set_name(a.name());
  b.clear_doc_string();
  return a.SerializeAsString() == b.SerializeAsString();
}

/// The attribute as the schema has it if nothing is said; null: there is no default.
const onnx::AttributeProto *default_of(const onnx::OpSchema &schema, const std::string &name) {
  const auto found = schema.attributes().find(name);
  return found == schema.attributes().end() || !found->second.default_value.has_name() ? nullptr : &found->second.default_value;
}

bool is_default(const onnx::OpSchema &schema, const Attribute &attribute) {
  const auto *usual = default_of(schema, attribute.name);
  onnx::AttributeProto proto;
  return usual && put_attribute(attribute, proto) && same_value(*usual, proto);
}

std::string type_text(const Type &type) {
  onnx::TypeProto proto;
  put_type(type, proto);
  if (proto.has_tensor_type()) proto.mutable_tensor_type()->clear_shape();
  return *onnx::Utils::DataTypeUtils::ToType(proto);
}

/// The attribute that an operand was in old opsets: of its name, but for Pad's.
std::string attribute_of(const onnx::OpSchema &schema, const std::string &operand) {
  const std::string name = operand == "constant_value" ? "value" : operand;
  return schema.attributes().contains(name) ? name : std::string();
}

/// A constant as an attribute of that type; nothing: it does not fit.
std::optional<AttributeValue> as_attribute(const Tensor &data, onnx::AttributeProto::AttributeType type) {
  using A = onnx::AttributeProto;
  if (type == A::INTS) return AttributeValue(to_int64s(data));
  if (type == A::FLOATS) return AttributeValue(to_floats(data));
  if (data.size() != 1) return std::nullopt;
  if (type == A::INT) return AttributeValue(to_int64s(data)[0]);
  if (type == A::FLOAT) return AttributeValue(to_floats(data)[0]);
  return std::nullopt;
}

/// Trailing constant operands that were attributes in the opset of `to` become these (starts of Slice, min of Clip ...).
/// Steps of 1, which older Slices do not have, go.
void operands_to_attributes(Graph &graph, NodeId id, const onnx::OpSchema &from, const onnx::OpSchema &to) {
  for (std::size_t count = graph.node(id).inputs.size(); count > static_cast<std::size_t>(to.max_input()); --count) {
    const ValueId operand = graph.node(id).inputs[count - 1];
    const Tensor *data = graph.constant(operand);
    if (operand.valid()) {
      if (!data || count > from.inputs().size() || data->dtype == DType::string) return;
      const std::string operand_name = from.inputs()[count - 1].GetName(), name = attribute_of(to, operand_name);
      const bool ones = operand_name == "steps" && std::ranges::all_of(to_int64s(*data), [](std::int64_t step) { return step == 1; });
      const auto value = name.empty() ? std::nullopt : as_attribute(*data, to.attributes().at(name).type);
      if (!value && !ones) return;
      if (value) graph.set_attribute(id, name, *value);
    }
    graph.drop_input(id, count - 1);
    if (operand.valid() && graph.use_count(operand) == 0) graph.remove(operand);
  }
}

/// What the schema of `to` does not take of a node that speaks `from`; empty: nothing.
std::string misfit(const Graph &graph, const Node &node, const onnx::OpSchema &from, const onnx::OpSchema &to) {
  for (const Attribute &attribute : node.attributes)
    if (!to.attributes().contains(attribute.name)) return "the attribute " + attribute.name;
  for (const auto &[name, attribute] : to.attributes()) {
    const auto *was = default_of(from, name), *is = default_of(to, name);
    if (node.attribute(name) || !from.attributes().contains(name) || !was || !is) continue;
    if (!same_value(*was, *is)) return "the default of " + name;
  }
  std::size_t operands = node.inputs.size();
  while (operands > 0 && !node.inputs[operands - 1].valid()) --operands;
  if (static_cast<int>(operands) > to.max_input() || static_cast<int>(operands) < to.min_input()) return fmt::format("{} operands", operands);
  for (std::size_t i = 0; i < operands && i < to.inputs().size(); ++i) {
    if (!node.inputs[i].valid()) continue;
    const Type &type = graph.value(node.inputs[i]).type;
    const auto &allowed = to.inputs()[i].GetTypes();
    if (!type.is_tensor() || type.dtype == DType::undefined || allowed.empty()) continue;
    const std::string text = type_text(type);
    if (std::ranges::none_of(allowed, [&](const auto &one) { return *one == text; })) return fmt::format("operand {} of {}", i, text);
  }
  return {};
}

} // namespace

Result<OpTypes> absent_operators(const Graph &graph, std::int64_t present, std::int64_t target) {
  OpTypes found;
  EDGEC_CHECK(find_absent(graph, present, target, found));
  return found;
}

namespace {

/// Calls edit(graph) on every sub-graph of a node and puts the results in their places.
template <class F>
Status edit_bodies(Graph &graph, NodeId id, F edit) {
  const std::vector<Attribute> attributes = graph.node(id).attributes;
  const auto edited = [&](const SubGraph &body) -> Result<SubGraph> {
    auto copy = std::make_shared<Graph>(*body);
    EDGEC_CHECK(edit(*copy));
    return SubGraph(std::move(copy));
  };
  for (const Attribute &attribute : attributes) {
    if (const auto *one = std::get_if<SubGraph>(&attribute.value)) {
      EDGEC_ASSIGN(SubGraph body, edited(*one));
      graph.set_attribute(id, attribute.name, std::move(body));
    }
    if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value)) {
      std::vector<SubGraph> bodies;
      for (const SubGraph &one : *many) {
        EDGEC_ASSIGN(SubGraph body, edited(one));
        bodies.push_back(std::move(body));
      }
      graph.set_attribute(id, attribute.name, std::move(bodies));
    }
  }
  return {};
}

/// Attributes that only say what is so without them.
std::vector<std::string> idle_attributes(const Graph &graph, const Node &node, const onnx::OpSchema &from, const onnx::OpSchema &to) {
  std::vector<std::string> names;
  for (const Attribute &attribute : node.attributes) {
    if (to.attributes().contains(attribute.name)) continue;
    const bool counts_outputs = node.is("Split") && attribute.name == "num_outputs"; // older ones count them themselves
    const Tensor *axes = attribute.name == "noop_with_empty_axes" ? graph.constant(node.input(1)) : nullptr;
    const bool has_axes = axes && axes->size() > 0;
    if (counts_outputs || has_axes || is_default(from, attribute)) names.push_back(attribute.name);
  }
  return names;
}

} // namespace

Status expand_operators(Graph &graph, const OpTypes &operators) {
  for (const NodeId id : graph.nodes()) {
    EDGEC_CHECK(edit_bodies(graph, id, [&](Graph &body) { return expand_operators(body, operators); }));
    const Node &node = graph.node(id);
    if (!node.domain.empty() || !operators.contains(node.op)) continue;
    std::vector<const Type *> types;
    for (const ValueId input : node.inputs) types.push_back(input.valid() ? &graph.value(input).type : nullptr);
    const auto body = onnx_function_body(node, graph.opsets, types);
    if (!body)
      return unsupported(fmt::format("node {}: operator {} cannot be written out: {}", node.label(), node.op, body.error().message));
    for (const auto &[domain, version] : body->opsets) graph.opsets.try_emplace(domain, version);
    inline_graph(graph, id, *body);
  }
  return {};
}

void drop_idle_attributes(Graph &graph, std::int64_t present, std::int64_t target) {
  for (const NodeId id : graph.nodes()) {
    const Status done = edit_bodies(graph, id, [&](Graph &body) {
      drop_idle_attributes(body, present, target);
      return Status();
    });
    const Node &node = graph.node(id);
    const auto *from = node.domain.empty() ? schema_of(node.op, present) : nullptr, *to = schema_of(node.op, target);
    if (!done || !from || !to) continue;
    for (const std::string &name : idle_attributes(graph, node, *from, *to)) graph.remove_attribute(id, name);
  }
}

Status fit_operator(Graph &graph, const std::string &op, std::int64_t present, std::int64_t target) {
  const auto *from = schema_of(op, present), *to = schema_of(op, target);
  for (const NodeId id : graph.nodes()) {
    EDGEC_CHECK(edit_bodies(graph, id, [&](Graph &body) { return fit_operator(body, op, present, target); }));
    if (!graph.node(id).is(op)) continue;
    if (from && to) operands_to_attributes(graph, id, *from, *to);
    const Node &node = graph.node(id);
    const std::string found = from && to ? misfit(graph, node, *from, *to) : std::string("the operator");
    if (!found.empty())
      return unsupported(fmt::format("node {}: {} of opset {} does not take {}", node.label(), op, target, found));
  }
  return {};
}

} // namespace edgec::proto
