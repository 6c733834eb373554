#include "formats/onnx/convert_bodies.h"

#include <algorithm>
#include <fmt/format.h>

#include "formats/onnx/schemas.h"
#include "ir/inline.h"

namespace edgec::proto {
namespace {

constexpr const char *mark = "edgec.node"; // attribute: which entry a node is

/// Constant nodes become constants.
void free_constants(Graph &graph) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const Tensor *value = node.is("Constant") ? node.get<Tensor>("value") : nullptr;
    if (!value || graph.is_output(node.outputs[0])) continue;
    const ValueId old = node.outputs[0];
    const std::string name = graph.value(old).name;
    const ValueId made = graph.add_constant(Tensor(*value), name);
    graph.replace_uses(old, made);
    graph.remove(id);
  }
}

/// The sub-graph with small constants of its own in the place of captured ones; what is captured still goes to `outside`.
Graph with_constants(const Graph &around, const Graph &body, std::span<const ValueId> captured, std::vector<ValueId> &outside) {
  constexpr std::size_t most = 1024; // bytes
  Graph copy = body;
  for (std::size_t i = 0; i < captured.size(); ++i) {
    const ValueId inner = body.captures()[i];
    const Tensor *data = around.constant(captured[i]);
    if (!data || data->data.size() > most || copy.is_output(inner)) {
      outside.push_back(captured[i]);
      continue;
    }
    const std::string name = copy.value(inner).name;
    copy.replace_uses(inner, copy.add_constant(*data, name));
    copy.remove(inner);
  }
  lend_constants(copy);
  return copy;
}

/// The same graph; of its inputs and captures, in this order, the first `inputs` are inputs.
Graph with_inputs(const Graph &from, std::size_t inputs) {
  Graph graph;
  graph.name = from.name;
  graph.doc = from.doc;
  graph.metadata = from.metadata;
  graph.opsets = from.opsets;
  std::vector<ValueId> outer = from.inputs(), given;
  outer.insert(outer.end(), from.captures().begin(), from.captures().end());
  for (std::size_t i = 0; i < outer.size(); ++i) {
    const Value &value = from.value(outer[i]);
    given.push_back(i < inputs ? graph.add_input(value.name, value.type) : graph.add_capture(value.name, value.type));
  }
  Node call;
  const auto middle = given.begin() + static_cast<std::ptrdiff_t>(from.inputs().size());
  call.inputs.assign(given.begin(), middle);
  call.captures.assign(middle, given.end());
  for (const GraphOutput &output : from.outputs()) call.outputs.push_back(graph.add_value(from.value(output.value).type, output.name));
  const std::vector<ValueId> outputs = call.outputs;
  const NodeId id = graph.add_node(std::move(call));
  for (std::size_t i = 0; i < outputs.size(); ++i) graph.add_output(outputs[i], from.outputs()[i].name);
  inline_graph(graph, id, from);
  return graph;
}

/// ONNX's checker wants to know the rank of what goes into a model and comes out of it.
bool has_types(const Graph &graph) {
  const auto known = [&](ValueId id) {
    const Type &type = graph.value(id).type;
    return type.kind != Type::Kind::unknown && (!type.is_tensor() || type.shape);
  };
  return std::ranges::all_of(graph.inputs(), known) && std::ranges::all_of(graph.captures(), known) &&
         std::ranges::all_of(graph.outputs(), [&](const GraphOutput &output) { return known(output.value); });
}

/// The sub-graphs of a node; none where they are not all attributes of their own.
std::vector<std::pair<std::string, SubGraph>> bodies_of(const Node &node) {
  std::vector<std::pair<std::string, SubGraph>> bodies;
  for (const Attribute &attribute : node.attributes) {
    if (std::holds_alternative<std::vector<SubGraph>>(attribute.value)) return {};
    if (const auto *body = std::get_if<SubGraph>(&attribute.value)) bodies.emplace_back(attribute.name, *body);
  }
  return bodies;
}

} // namespace

void lend_constants(Graph &graph) {
  free_constants(graph);
  for (const NodeId id : graph.nodes()) {
    const Node node = graph.node(id);
    std::vector<std::pair<std::string, Graph>> made;
    std::vector<ValueId> outside;
    std::size_t capture = 0;
    for (const auto &[name, body] : bodies_of(node)) {
      const std::size_t count = body->captures().size();
      made.emplace_back(name, with_constants(graph, *body, std::span(node.captures).subspan(capture, count), outside));
      capture += count;
    }
    for (auto &[name, body] : made) graph.set_subgraph(id, name, std::make_shared<const Graph>(std::move(body)), outside);
  }
}

Status Bodies::take_from(Model &model, NodeId id, std::int64_t target) {
  const Node node = model.graph.node(id);
  const auto bodies = bodies_of(node);
  if (bodies.empty() || !node.domain.empty()) return {};
  if (!std::ranges::all_of(bodies, [](const auto &body) { return has_types(*body.second); })) return {};
  EDGEC_CHECK(fit_operator(model.graph, node.op, model.graph.opset(), target));
  Entry entry{.op = node.op, .inputs = node.inputs.size(), .bodies = {}};
  for (const auto &[name, body] : bodies) {
    Model part;
    part.ir_version = model.ir_version;
    part.source_failure = model.source_failure;
    part.graph = with_inputs(*body, body->inputs().size() + body->captures().size());
    part.graph.opsets = model.graph.opsets;
    part.graph.opsets.erase(aside);
    EDGEC_CHECK(convert_opset(part, target).in(fmt::format("node {}: {}", node.label(), name)));
    entry.bodies.emplace_back(name, with_inputs(part.graph, body->inputs().size()));
  }
  for (const auto &[name, body] : entry.bodies) {
    model.graph.set_subgraph(id, name, nullptr, {});
    model.graph.remove_attribute(id, name);
  }
  for (std::size_t i = 0; i < node.captures.size(); ++i) model.graph.set_input(id, entry.inputs + i, node.captures[i]);
  model.graph.set_op(id, entry.op, aside);
  model.graph.set_attribute(id, mark, static_cast<std::int64_t>(entries_.size()));
  model.graph.opsets[aside] = 1;
  entries_.push_back(std::move(entry));
  return {};
}

Status Bodies::take(Model &model, std::int64_t target) {
  for (const NodeId id : model.graph.nodes()) EDGEC_CHECK(take_from(model, id, target));
  return {};
}

void Bodies::put_back(Graph &graph) {
  graph.opsets.erase(aside);
  for (const NodeId id : graph.nodes()) {
    const Node node = graph.node(id);
    const auto place = static_cast<std::size_t>(node.get_int(mark, -1));
    if (node.domain != aside || place >= entries_.size()) continue;
    Entry &entry = entries_[place];
    const std::vector<ValueId> captures(node.inputs.begin() + static_cast<std::ptrdiff_t>(entry.inputs), node.inputs.end());
    graph.drop_input(id, entry.inputs);
    graph.set_op(id, entry.op);
    graph.remove_attribute(id, mark);
    for (auto &[name, body] : entry.bodies) graph.set_subgraph(id, name, std::make_shared<const Graph>(std::move(body)), captures);
  }
}

} // namespace edgec::proto
