#include "formats/onnx/functions.h"

#include <onnx/defs/schema.h>
#include <onnx/inliner/inliner.h>

#include <fmt/format.h>

#include "formats/onnx/graph_writer.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/skeleton.h"

namespace edgec {
namespace {

/// The node in a message of its own: operands are named by their number.
onnx::NodeProto call(const Node &node) {
  onnx::NodeProto proto;
  proto.set_op_type(node.op);
  proto.set_domain(node.domain);
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    proto.add_input(node.inputs[i].valid() ? fmt::format("in{}", i) : "");
  for (std::size_t i = 0; i < node.outputs.size(); ++i)
    proto.add_output(node.outputs[i].valid() ? fmt::format("out{}", i) : "");
  for (const Attribute &attribute : node.attributes) {
    if (proto::put_attribute(attribute, *proto.add_attribute())) continue;
    const auto *graph = std::get_if<SubGraph>(&attribute.value);
    if (!graph || !*graph) continue;
    auto &stored = *proto.mutable_attribute(proto.attribute_size() - 1);
    Model model;
    model.graph = **graph;
    stored.set_name(attribute.name);
    stored.set_type(onnx::AttributeProto::GRAPH);
    proto::write_graph(model, *stored.mutable_g(), proto::Weights::lowered);
  }
  return proto;
}

/// What the schema says the node does; false: nothing.
bool build_body(const onnx::OpSchema &schema, const onnx::NodeProto &node, const std::vector<onnx::TypeProto> &types,
                int opset, onnx::FunctionProto &body) {
  if (schema.HasContextDependentFunction()) {
    const onnx::FunctionBodyBuildContextImpl context(node, types);
    return schema.BuildContextDependentFunction(context, body, opset);
  }
  const onnx::FunctionProto *fixed = schema.GetFunction(opset, true);
  if (fixed == nullptr) return false;
  body = *fixed;
  return true;
}

/// A model of the one node, its function beside it.
onnx::ModelProto model_of(const onnx::NodeProto &node, const onnx::FunctionProto &body,
                          const std::vector<onnx::TypeProto> &types, const Opsets &opsets) {
  onnx::ModelProto model;
  model.set_ir_version(10);
  proto::put_opsets(opsets, model);
  auto &graph = *model.mutable_graph();
  graph.set_name("function");
  *graph.add_node() = node;
  for (int i = 0; i < node.input_size(); ++i) {
    if (node.input(i).empty()) continue;
    auto &input = *graph.add_input();
    input.set_name(node.input(i));
    *input.mutable_type() = types[static_cast<std::size_t>(i)];
  }
  for (const auto &name : node.output())
    if (!name.empty()) graph.add_output()->set_name(name);
  auto &function = *model.add_functions();
  function = body;
  function.set_domain(node.domain());
  function.set_name(node.op_type());
  function.clear_overload();
  function.mutable_opset_import()->CopyFrom(model.opset_import());
  return model;
}

} // namespace

Result<Graph> onnx_function_body(const Node &node, const Opsets &opsets, std::span<const Type *const> inputs) {
  const auto nobody = [&] { return unsupported(fmt::format("ONNX does not define {} by other operators", node.op)); };
  const auto opset = opsets.find(node.domain);
  if (opset == opsets.end() || !node.captures.empty()) return nobody();
  const auto version = static_cast<int>(opset->second);
  const onnx::OpSchema *schema = onnx::OpSchemaRegistry::Schema(node.op, version, node.domain);
  if (schema == nullptr || !schema->HasFunction()) {
    if (schema == nullptr || !schema->HasContextDependentFunction()) return nobody();
  }
  std::vector<onnx::TypeProto> types(node.inputs.size());
  for (std::size_t i = 0; i < types.size() && i < inputs.size(); ++i)
    if (inputs[i]) proto::put_type(*inputs[i], types[i]);
  Opsets wanted = opsets;
  if (!wanted.contains("")) wanted[""] = 18;
  std::optional<onnx::ModelProto> model;
  const auto refused = proto::thrown_by([&] {
    onnx::NodeProto called = call(node);
    for (const auto &[name, attribute] : schema->attributes()) // the body refers to what the node leaves out as well
      if (!node.attribute(name) && attribute.default_value.type() != onnx::AttributeProto::UNDEFINED)
        (*called.add_attribute() = attribute.default_value).set_name(name);
    onnx::FunctionProto body;
    if (!build_body(*schema, called, types, version, body)) return;
    model = model_of(called, body, types, wanted);
    onnx::inliner::InlineLocalFunctions(*model, false);
  });
  if (refused) return unsupported(fmt::format("the function body of {} cannot be made: {}", node.op, *refused));
  if (!model) return nobody();
  Model read;
  read.graph.opsets = wanted;
  proto::ExternalData nothing{std::filesystem::path()};
  EDGEC_CHECK(proto::read_graph(*model->mutable_graph(), {.overridable = true}, nothing, read)
                  .in(fmt::format("function {}", node.op)));
  return std::move(read.graph);
}

} // namespace edgec
