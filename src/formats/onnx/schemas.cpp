#include "formats/onnx/schemas.h"

#include <onnx/defs/data_type_utils.h>
#include <onnx/defs/schema.h>

#include <algorithm>
#include <fmt/format.h>

#include "formats/onnx/functions.h"
#include "formats/onnx/proto.h"
#include "ir/inline.h"
#include "ir/node_view.h"

namespace edgec::proto {
namespace {

/// Null: the opset does not have the operator. A version that takes an operator away is called deprecated, and so is
/// the first version of one that was a mistake (GroupNormalization).
const onnx::OpSchema *schema_of(const std::string &op, std::int64_t opset) {
  const auto *schema = onnx::OpSchemaRegistry::Schema(op, static_cast<int>(opset), "");
  const bool gone =
      schema && schema->Deprecated() && onnx::OpSchemaRegistry::Schema(op, schema->since_version() - 1, "");
  return gone ? nullptr : schema;
}

/// The first opset that has the operator.
std::int64_t first_opset(const std::string &op, std::int64_t present) {
  std::int64_t first = 1;
  while (first < present && !schema_of(op, first)) ++first;
  return first;
}

bool is_function(const onnx::OpSchema &schema) { return schema.HasFunction() || schema.HasContextDependentFunction(); }

/// What an older opset calls by another name, with an adapter of its own (opset_change.h).
bool is_renamed(const Node &node, std::int64_t target) {
  return (node.op == "ScatterElements" && target == 10) || (node.op == "Resize" && target == 9);
}

/// Operators whose older version takes less: group parameters instead of channel parameters.
bool is_narrowed(const Node &node, std::int64_t target) { return node.op == "GroupNormalization" && target == 20; }

bool same_value(const onnx::AttributeProto &a, onnx::AttributeProto b) {
  b.set_name(a.name());
  b.clear_doc_string();
  return a.SerializeAsString() == b.SerializeAsString();
}

/// The attribute as the schema has it if nothing is said; null: there is no default.
const onnx::AttributeProto *default_of(const onnx::OpSchema &schema, const std::string &name) {
  const auto found = schema.attributes().find(name);
  return found == schema.attributes().end() || !found->second.default_value.has_name() ? nullptr
                                                                                       : &found->second.default_value;
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

/// Attribute and operand of the same meaning are called the same but for these.
std::string attribute_name(const std::string &operand) {
  return operand == "constant_value" ? "value" : operand == "K" ? "k" : operand;
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

/// An attribute as an operand; a single float has the type of the data where the schema says that both have one.
std::optional<Tensor> as_operand(const OpsetChange &at, const Attribute &attribute, const onnx::OpSchema &to,
                                 std::size_t operand) {
  const auto row = [](std::size_t count) { return Dims{static_cast<std::int64_t>(count)}; };
  if (const auto *ints = std::get_if<std::vector<std::int64_t>>(&attribute.value))
    return Tensor::of(row(ints->size()), *ints);
  if (const auto *floats = std::get_if<std::vector<float>>(&attribute.value))
    return Tensor::of(row(floats->size()), *floats);
  if (const auto *one = std::get_if<std::int64_t>(&attribute.value)) return int_row({*one});
  const auto *real = std::get_if<float>(&attribute.value);
  if (!real) return std::nullopt;
  const bool as_data =
      to.inputs()[operand].GetTypeStr() == to.inputs()[0].GetTypeStr() && at.type(0).dtype != DType::undefined;
  const std::vector<double> value{static_cast<double>(*real)};
  return from_doubles(as_data ? at.type(0).dtype : DType::float32, {}, value);
}

/// Trailing constant operands that were attributes become these (starts of Slice, min of Clip ...). Steps of 1, which
/// older Slices do not have, go.
void operands_to_attributes(const OpsetChange &at, const onnx::OpSchema &from, const onnx::OpSchema &to) {
  for (std::size_t count = at.node().inputs.size(); count > static_cast<std::size_t>(to.max_input()); --count) {
    if (at.has(count - 1)) {
      const Tensor *data = at.constant(count - 1);
      if (!data || count > from.inputs().size() || data->dtype == DType::string) return;
      const std::string operand = from.inputs()[count - 1].GetName(), name = attribute_name(operand);
      const bool ones =
          operand == "steps" && std::ranges::all_of(to_int64s(*data), [](std::int64_t step) { return step == 1; });
      const auto attribute = to.attributes().find(name);
      const auto value =
          attribute == to.attributes().end() ? std::nullopt : as_attribute(*data, attribute->second.type);
      if (!value && !ones) return;
      if (value) at.graph.set_attribute(at.id, name, *value);
    }
    at.drop_inputs(count - 1);
  }
}

void attributes_to_operands(const OpsetChange &at, const onnx::OpSchema &to) {
  const std::vector<Attribute> attributes = at.node().attributes;
  for (const Attribute &attribute : attributes) {
    if (to.attributes().contains(attribute.name)) continue;
    for (std::size_t i = 1; i < to.inputs().size(); ++i) {
      if (attribute_name(to.inputs()[i].GetName()) != attribute.name || at.has(i)) continue;
      auto operand = as_operand(at, attribute, to, i);
      if (!operand) continue;
      at.graph.remove_attribute(at.id, attribute.name);
      at.set_constant(i, *std::move(operand));
      break;
    }
  }
}

/// Attributes that only say what is so without them; what is not said and means something else in the other version.
void settle_defaults(const OpsetChange &at, const onnx::OpSchema &from, const onnx::OpSchema &to) {
  const std::vector<Attribute> attributes = at.node().attributes;
  for (const Attribute &attribute : attributes) {
    if (to.attributes().contains(attribute.name)) continue;
    const Tensor *axes = attribute.name == "noop_with_empty_axes" ? at.constant(1) : nullptr;
    if ((axes && axes->size() > 0) || is_default(from, attribute)) at.graph.remove_attribute(at.id, attribute.name);
  }
  for (const auto &[name, attribute] : to.attributes()) {
    const auto *was = default_of(from, name), *is = default_of(to, name);
    if (at.node().attribute(name) || !was || (is && same_value(*was, *is))) continue;
    auto spelled = *was;
    if (auto value = read_attribute(spelled, nullptr)) at.graph.set_attribute(at.id, name, *std::move(value));
  }
}

/// Before opset 11 axes are counted from the front.
Status count_axes(const OpsetChange &at) {
  constexpr std::int64_t first_that_counts_back = 11;
  if (at.from != first_that_counts_back || at.to > at.from) return {};
  const bool inserts = at.node().is("Unsqueeze"); // its axes are those of the result
  const auto rank = inserts ? at.graph.value(at.node().outputs[0]).type.rank() : at.rank();
  const auto refusal = [&] { return at.refuse("a negative axis of an operand whose rank is not known"); };
  if (const auto *axis = at.node().get<std::int64_t>("axis"); axis && *axis < 0 && !at.node().is("OneHot")) {
    if (!rank) return refusal();
    at.graph.set_attribute(at.id, "axis", *axis + *rank);
  }
  auto axes = at.node().get_ints("axes");
  if (std::ranges::all_of(axes, [](std::int64_t axis) { return axis >= 0; })) return {};
  if (!rank) return refusal();
  for (std::int64_t &axis : axes)
    if (axis < 0) axis += *rank;
  at.graph.set_attribute(at.id, "axes", std::move(axes));
  return {};
}

/// Leaves out trailing outputs that nobody reads and the other version does not have: in a node that takes its place.
void drop_outputs(OpsetChange &at, const onnx::OpSchema &to) {
  const auto most = static_cast<std::size_t>(to.max_output());
  Node made = at.node();
  for (std::size_t i = most; i < made.outputs.size(); ++i)
    if (at.is_read(i)) return;
  if (made.outputs.size() <= most) return;
  const std::vector<ValueId> outputs = made.outputs;
  made.outputs.resize(most);
  for (ValueId &output : made.outputs)
    if (output.valid())
      output = at.graph.add_value(Type(at.graph.value(output).type), std::string(at.graph.value(output).name));
  const std::vector<ValueId> fresh = made.outputs;
  const NodeId id = at.graph.add_node(std::move(made), at.id);
  for (std::size_t i = 0; i < most; ++i)
    if (fresh[i].valid()) at.graph.replace_uses(outputs[i], fresh[i]);
  at.graph.remove(at.id);
  at.id = id;
}

using Formals = std::vector<onnx::OpSchema::FormalParameter>;

/// What formal parameters do not take of values: their types, and that some have the same; empty: nothing.
std::string wrong_type(const Graph &graph, const std::vector<ValueId> &values, const Formals &formals,
                       const char *what) {
  std::vector<std::pair<std::string, std::string>> bound; // of type variables
  for (std::size_t i = 0; i < values.size() && !formals.empty(); ++i) {
    if (!values[i].valid()) continue;
    const auto &formal = formals[std::min(i, formals.size() - 1)];
    const Type &type = graph.value(values[i]).type;
    if (!type.is_tensor() || type.dtype == DType::undefined || type.quant || formal.GetTypes().empty()) continue;
    const std::string text = type_text(type), variable = formal.GetTypeStr();
    if (std::ranges::none_of(formal.GetTypes(), [&](const auto &one) { return *one == text; }))
      return fmt::format("{} {} of {}", what, i, text);
    const bool mixed = formal.GetOption() == onnx::OpSchema::Variadic && !formal.GetIsHomogeneous();
    const auto same = std::ranges::find(bound, variable, &std::pair<std::string, std::string>::first);
    if (same != bound.end() && same->second != text && !mixed)
      return fmt::format("{} {} of {} beside {}", what, i, text, same->second);
    if (same == bound.end()) bound.emplace_back(variable, text);
  }
  return {};
}

/// What the schema does not take of a node; empty: nothing.
std::string misfit(const Graph &graph, const Node &node, const onnx::OpSchema &to) {
  for (const Attribute &attribute : node.attributes)
    if (!to.attributes().contains(attribute.name)) return "the attribute " + attribute.name;
  const auto count = [](std::vector<ValueId> ids) {
    while (!ids.empty() && !ids.back().valid()) ids.pop_back();
    return static_cast<int>(ids.size());
  };
  const int operands = count(node.inputs), outputs = count(node.outputs);
  if (operands > to.max_input() || operands < to.min_input()) return fmt::format("{} operands", operands);
  if (outputs > to.max_output()) return fmt::format("{} outputs", outputs);
  for (const auto &[name, attribute] : to.attributes())
    if (attribute.required && !node.attribute(name)) return "a node without " + name;
  const std::string operand = wrong_type(graph, node.inputs, to.inputs(), "operand");
  return operand.empty() ? wrong_type(graph, node.outputs, to.outputs(), "output") : operand;
}

} // namespace

Result<OpTypes> absent_operators(const Graph &graph, std::int64_t present, std::int64_t target) {
  OpTypes found;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const auto *schema = node.domain.empty() ? schema_of(node.op, present) : nullptr;
    if (!schema || is_renamed(node, target) || (schema_of(node.op, target) && !is_narrowed(node, target))) continue;
    if (!is_function(*schema))
      return unsupported(fmt::format("node {}: operator {} came with opset {} and is not defined by older ones",
                                     node.label(), node.op, first_opset(node.op, present)));
    found.insert(node.op);
  }
  return found;
}

Status expand_operators(Graph &graph, const OpTypes &operators) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.domain.empty() || !operators.contains(node.op)) continue;
    const auto body = onnx_function_body(node, graph.opsets, types_of(graph, node.inputs));
    if (!body)
      return unsupported(
          fmt::format("node {}: operator {} cannot be written out: {}", node.label(), node.op, body.error().message));
    for (const auto &[domain, version] : body->opsets) graph.opsets.try_emplace(domain, version);
    inline_graph(graph, id, *body);
  }
  return {};
}

bool has_schema(const OpsetChange &at) { return schema_of(at.node().op, at.from) != nullptr; }

Result<bool> is_new_version(const OpsetChange &at) {
  const std::string &op = at.node().op;
  const auto *from = schema_of(op, at.from), *to = schema_of(op, at.to);
  for (std::size_t i = 0; i < from->inputs().size(); ++i)
    if (from->inputs()[i].GetOption() == onnx::OpSchema::Single && !at.has(i))
      return unsupported(
          fmt::format("node {}: {} has no operand {}", at.node().label(), op, from->inputs()[i].GetName()));
  if (at.node().outputs.empty() || !at.node().outputs[0].valid())
    return unsupported(fmt::format("node {}: {} has no output", at.node().label(), op));
  return !to || from->since_version() != to->since_version();
}

Status fit_schema(OpsetChange at) {
  const std::string op = at.node().op;
  const auto *to = schema_of(op, at.to), *from = schema_of(op, at.from);
  if (!to)
    return unsupported(fmt::format("node {}: ONNX knows no operator {} of opset {}", at.node().label(), op, at.to));
  if (!from) from = to; // it bears another name now
  drop_outputs(at, *to);
  settle_defaults(at, *from, *to);
  operands_to_attributes(at, *from, *to);
  attributes_to_operands(at, *to);
  EDGEC_CHECK(count_axes(at));
  const std::string found = misfit(at.graph, at.node(), *to);
  return found.empty() ? Status() : Status(at.refuse(found));
}

} // namespace edgec::proto
