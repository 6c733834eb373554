#include <onnx/checker.h>
#include <onnx/version_converter/convert.h>

#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>

#include "formats/onnx/convert_bodies.h"
#include "formats/onnx/graph_writer.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/prepare.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/schemas.h"
#include "formats/onnx/skeleton.h"

namespace edgec {
namespace {

/// What ONNX says, without the dump of a node behind it and the place in ONNX's source before it.
std::string message_of(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  constexpr std::string_view assertion = "` failed: ";
  const auto at = text.find(assertion);
  return std::string(at == std::string_view::npos ? text : text.substr(at + assertion.size()));
}

/// Runs the converter on a model whose weights stayed behind.
Status run_converter(onnx::ModelProto &proto, std::int64_t target) {
  EDGEC_CHECK(proto::check_equations(proto));
  try {
    // The converter trusts the number of operands: the checker makes sure of it first.
    onnx::checker::check_model(proto, false);
    proto = onnx::version_conversion::ConvertVersion(proto, static_cast<int>(target));
  } catch (const std::exception &error) {
    return unsupported(message_of(error.what()));
  }
  return {};
}

/// The operator that the converter has no way for ("No Adapter To Version $16 for Conv"); empty: it said something else.
std::string without_adapter(const std::string &message) {
  constexpr std::string_view start = "No Adapter", middle = " for ";
  if (message.find(start) == std::string::npos || message.rfind(middle) == std::string::npos) return {};
  return message.substr(message.rfind(middle) + middle.size());
}

using proto::aside;

/// Moves operators from one domain to another, in sub-graphs, too; all of them where `operators` is null.
void move_operators(Graph &graph, const std::string &from, const std::string &to, const proto::OpTypes *operators) {
  const auto moved = [&](const SubGraph &body) {
    auto copy = std::make_shared<Graph>(*body);
    move_operators(*copy, from, to, operators);
    return copy;
  };
  for (const NodeId id : graph.nodes()) {
    const Node node = graph.node(id);
    if (node.domain == from && (!operators || operators->contains(node.op))) graph.set_op(id, node.op, to);
    for (const Attribute &attribute : node.attributes) {
      if (const auto *one = std::get_if<SubGraph>(&attribute.value)) graph.set_attribute(id, attribute.name, moved(*one));
      if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value)) {
        std::vector<SubGraph> bodies;
        for (const SubGraph &body : *many) bodies.push_back(moved(body));
        graph.set_attribute(id, attribute.name, std::move(bodies));
      }
    }
  }
}

/// The graph in another opset, without its big weights. Operators that the opset lacks are written out by their
/// function bodies; those for which the converter has no adapter stay as they are if their schemas allow it.
Status convert(Model &model, std::int64_t target, onnx::ModelProto &proto, proto::WrittenNames &names) {
  const std::int64_t present = model.graph.opset();
  constexpr int deepest = 16; // bodies in bodies
  for (int depth = 0; depth < deepest; ++depth) {
    EDGEC_ASSIGN(const proto::OpTypes absent, proto::absent_operators(model.graph, present, target));
    if (absent.empty()) break;
    EDGEC_CHECK(proto::expand_operators(model.graph, absent));
  }
  for (proto::OpTypes unchanged;;) {
    Model skeleton = model;
    if (!unchanged.empty()) {
      move_operators(skeleton.graph, "", aside, &unchanged);
      skeleton.graph.opsets[aside] = 1;
    }
    proto.Clear();
    proto.set_ir_version(std::max<std::int64_t>(model.ir_version, 4)); // initializers need not be inputs
    proto::put_opsets(skeleton.graph.opsets, proto);
    names = proto::write_graph(skeleton, *proto.mutable_graph(), proto::Weights::left_out);
    const Status done = run_converter(proto, target);
    const std::string op = done ? std::string() : without_adapter(done.error().message);
    if (op.empty()) return done;
    if (!unchanged.insert(op).second) return done;
    EDGEC_CHECK(proto::fit_operator(model.graph, op, present, target));
  }
}

/// The converter keeps neither origins nor metadata, and guesses types: they come from the graph before, nodes being
/// found again by the name of their first output.
void restore(const Graph &before, const proto::WrittenNames &names, Graph &after) {
  std::unordered_map<std::string, NodeId> nodes;
  for (const NodeId id : before.nodes()) {
    const auto &outputs = before.node(id).outputs;
    if (!outputs.empty() && outputs[0].valid()) nodes.emplace(names.values[outputs[0].index], id);
  }
  for (const NodeId id : after.nodes()) {
    const auto &outputs = after.node(id).outputs;
    const auto found = outputs.empty() || !outputs[0].valid() ? nodes.end() : nodes.find(after.value(outputs[0]).name);
    after.set_history(id, found == nodes.end() ? Node{} : before.node(found->second));
  }
  const auto restore_value = [&](ValueId from, ValueId to) {
    if (!after.constant(to)) after.set_type(to, before.value(from).type);
    after.set_metadata(to, before.value(from).metadata, before.value(from).doc);
  };
  for (std::size_t i = 0; i < after.inputs().size(); ++i) restore_value(before.inputs()[i], after.inputs()[i]);
  for (std::size_t i = 0; i < after.outputs().size(); ++i) restore_value(before.outputs()[i].value, after.outputs()[i].value);
  after.name = before.name;
  after.metadata = before.metadata;
}

/// Before opset 7 PRelu took one slope a channel without saying so by its shape, which the converter leaves as it is.
void shape_slopes(Graph &graph) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    if (!node.is("PRelu") || node.inputs.size() != 2) continue;
    const Tensor *slope = graph.constant(node.inputs[1]);
    const auto rank = graph.value(node.inputs[0]).type.rank();
    if (!slope || slope->rank() != 1 || slope->size() == 1 || !rank || *rank < 3) continue;
    Tensor shaped = *slope;
    shaped.dims.insert(shaped.dims.end(), static_cast<std::size_t>(*rank) - 2, 1);
    const std::string name = graph.value(node.inputs[1]).name;
    graph.set_input(id, 1, graph.add_constant(std::move(shaped), name));
  }
}

} // namespace

Status convert_opset(Model &model, std::int64_t target) {
  if (target < proto::oldest_opset || target > proto::newest_opset)
    return usage_error(fmt::format("opset {} cannot be written: {} to {} can", target, proto::oldest_opset, proto::newest_opset));
  const std::int64_t present = model.graph.opset();
  model.graph.opsets[""] = target;
  if (present == target || present == 0) return {};
  model.graph.opsets[""] = present;
  if (present < 7) shape_slopes(model.graph);
  EDGEC_CHECK(model.graph.sort());
  if (target < present) {
    proto::lend_constants(model.graph);
    proto::drop_idle_attributes(model.graph, present, target);
  }
  proto::Bodies bodies;
  if (target < present) EDGEC_CHECK(bodies.take(model, target));
  onnx::ModelProto proto;
  proto::WrittenNames names;
  if (auto done = convert(model, target, proto, names); !done)
    return unsupported(fmt::format("the model's opset {} cannot be converted to {}: {}", present, target, done.error().message));
  proto.set_ir_version(std::max<std::int64_t>(4, proto::ir_version_for(proto)));
  if (const std::string failure = model.source_failure.empty() ? proto::check_failure(proto) : std::string(); !failure.empty())
    return unsupported(fmt::format("the model's opset {} cannot be converted to {}: ONNX's checker refuses the result: {}", present,
                                   target, failure));
  Model converted;
  converted.graph.opsets = model.graph.opsets;
  converted.graph.opsets[""] = target;
  proto::ExternalData nothing{std::filesystem::path()};
  auto read = proto::read_graph(*proto.mutable_graph(), {.overridable = true}, nothing, converted, &names.left_out);
  if (!read || converted.graph.inputs().size() != model.graph.inputs().size())
    return internal_error(fmt::format("ONNX's version converter damages the model (opset {} to {}): {}", present, target,
                                      read ? "inputs are lost" : read.error().message));
  bodies.put_back(converted.graph);
  move_operators(converted.graph, aside, "", nullptr);
  restore(model.graph, names, converted.graph);
  if (target < present) model.ir_version = 3; // the writer takes the lowest that the content needs
  model.graph = std::move(converted.graph);
  return {};
}

} // namespace edgec
