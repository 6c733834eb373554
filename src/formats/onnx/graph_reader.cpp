// GraphProto to Graph: names become values, outer names become captures, nodes are sorted.
#include <algorithm>
#include <fmt/format.h>
#include <unordered_map>
#include <unordered_set>

#include "formats/onnx/reader.h"

namespace edgec::proto {
namespace {

/// One graph being read, and those around it.
struct Scope {
  Graph graph;
  Scope *outer = nullptr;
  std::unordered_map<std::string, ValueId> values;
  std::vector<std::string> captured; // names, in order of graph.captures()
};

/// ONNX's checker found a declared shape that no node gives.
bool shapes_are_wrong(const Model &model) {
  return model.source_failure.find("Inferred shape and existing shape differ") != std::string::npos;
}

class GraphReader {
public:
  GraphReader(const OnnxReadOptions &options, ExternalData &external, Model &model)
      : options_(options), external_(external), model_(model) {}

  Status read(onnx::GraphProto &proto, Scope &scope, int depth);

private:
  const OnnxReadOptions &options_;
  ExternalData &external_;
  Model &model_;

  Status declare(Scope &scope, const std::string &name, ValueId id);
  Status read_inputs(onnx::GraphProto &proto, Scope &scope);
  Status read_initializers(onnx::GraphProto &proto, Scope &scope);
  Status declare_outputs(const onnx::GraphProto &proto, Scope &scope);
  Status read_node(onnx::NodeProto &proto, Scope &scope, int depth, std::string origin);
  Status read_attributes(onnx::NodeProto &proto, Scope &scope, int depth, Node &node);
  Status read_outputs(const onnx::GraphProto &proto, Scope &scope);
  static ValueId find(Scope &scope, const std::string &name);
  Result<SubGraph> read_subgraph(onnx::GraphProto &proto, Scope &scope, int depth, std::vector<ValueId> &captures);
};

Type undeclared() {
  Type type;
  type.kind = Type::Kind::unknown;
  return type;
}

Status GraphReader::declare(Scope &scope, const std::string &name, ValueId id) {
  if (!scope.values.emplace(name, id).second)
    return bad_input(fmt::format("the name \"{}\" is given to two values", name));
  return {};
}

/// The value of a name, captured from the graphs around where it is not of this one; none where nobody has it.
ValueId GraphReader::find(Scope &scope, const std::string &name) {
  if (const auto found = scope.values.find(name); found != scope.values.end()) return found->second;
  if (!scope.outer) return {};
  const ValueId outside = find(*scope.outer, name);
  if (!outside.valid()) return {};
  const ValueId inside = scope.graph.add_capture(name, scope.outer->graph.value(outside).type);
  scope.values.emplace(name, inside);
  scope.captured.push_back(name);
  return inside;
}

Status GraphReader::read_inputs(onnx::GraphProto &proto, Scope &scope) {
  std::unordered_set<std::string> initialized;
  for (const auto &tensor : proto.initializer()) initialized.insert(tensor.name());
  for (const auto &sparse : proto.sparse_initializer()) initialized.insert(sparse.values().name());
  const bool overridable = options_.overridable && !scope.outer;
  std::size_t constants = 0;
  for (const auto &input : proto.input()) {
    if (initialized.contains(input.name()) && !overridable) {
      ++constants;
      continue;
    }
    if (input.name().empty()) return bad_input("a graph input has no name");
    auto type = read_type(input.type());
    if (!type) return std::move(type).error().in(fmt::format("graph input \"{}\"", input.name()));
    const ValueId id = scope.graph.add_input(input.name(), std::move(*type));
    scope.graph.set_metadata(id, read_metadata(input), input.doc_string());
    EDGEC_CHECK(declare(scope, input.name(), id));
  }
  if (constants > 0 && !scope.outer)
    model_.notes.push_back(fmt::format("{} initializer{} that {} also graph input{}: taken as constant{}", constants,
                                       constants == 1 ? "" : "s", constants == 1 ? "is" : "are",
                                       constants == 1 ? "" : "s", constants == 1 ? "" : "s"));
  return {};
}

Status GraphReader::read_initializers(onnx::GraphProto &proto, Scope &scope) {
  const auto add = [&](const std::string &name, Tensor data, Metadata metadata, const std::string &doc) -> Status {
    if (name.empty()) return bad_input("an initializer has no name");
    if (const auto input = scope.values.find(name);
        input != scope.values.end() && scope.graph.is_input(input->second)) {
      if (!model_.input_defaults.emplace(name, std::move(data)).second)
        return bad_input(fmt::format("the name \"{}\" is given to two values", name));
      return {};
    }
    const ValueId id = scope.graph.add_constant(std::move(data), name);
    scope.graph.set_metadata(id, std::move(metadata), doc);
    return declare(scope, name, id);
  };
  for (auto &stored : *proto.mutable_initializer()) {
    EDGEC_ASSIGN(Tensor data, take_tensor(stored, &external_));
    EDGEC_CHECK(add(stored.name(), std::move(data), read_metadata(stored), stored.doc_string()));
  }
  for (auto &stored : *proto.mutable_sparse_initializer()) {
    const std::string name = stored.values().name();
    EDGEC_ASSIGN(Tensor data, take_sparse_tensor(stored, &external_));
    EDGEC_CHECK(add(name, std::move(data), {}, {}));
    model_.notes.push_back(fmt::format("sparse initializer \"{}\": made dense", name));
  }
  return {};
}

/// Every node output gets its value before any node is read, so nodes may stand in any order. Stored types of inner
/// values are believed only behind operators that nobody here can infer: those of other domains and of old opsets.
Status GraphReader::declare_outputs(const onnx::GraphProto &proto, Scope &scope) {
  std::unordered_map<std::string, const onnx::ValueInfoProto *> infos;
  for (const auto &info : proto.value_info()) infos.emplace(info.name(), &info);
  const bool old = model_.graph.opset() > 0 && model_.graph.opset() < oldest_opset;
  for (const auto &node : proto.node()) {
    const bool foreign = old || !domain_name(node.domain()).empty();
    for (const auto &name : node.output()) {
      if (name.empty()) continue;
      const ValueId id = scope.graph.add_value(undeclared(), name);
      if (const auto info = infos.find(name); info != infos.end()) {
        if (foreign) {
          if (auto type = read_type(info->second->type())) scope.graph.set_type(id, std::move(*type));
        }
        scope.graph.set_metadata(id, read_metadata(*info->second), info->second->doc_string());
      }
      EDGEC_CHECK(declare(scope, name, id));
    }
  }
  for (const auto &output : proto.output()) {
    const auto found = scope.values.find(output.name());
    if (found == scope.values.end() || scope.graph.is_input(found->second) || scope.graph.constant(found->second))
      continue;
    auto type = read_type(output.type());
    if (!type) return std::move(type).error().in(fmt::format("graph output \"{}\"", output.name()));
    if (shapes_are_wrong(model_)) type->shape.reset();
    scope.graph.set_type(found->second, std::move(*type));
    scope.graph.set_metadata(found->second, read_metadata(output), output.doc_string());
  }
  return {};
}

Result<SubGraph> GraphReader::read_subgraph(onnx::GraphProto &proto, Scope &scope, int depth,
                                            std::vector<ValueId> &captures) {
  Scope inner;
  inner.outer = &scope;
  EDGEC_CHECK(read(proto, inner, depth + 1));
  for (const std::string &name : inner.captured) captures.push_back(find(scope, name));
  return std::make_shared<const Graph>(std::move(inner.graph));
}

Status GraphReader::read_attributes(onnx::NodeProto &proto, Scope &scope, int depth, Node &node) {
  for (auto &stored : *proto.mutable_attribute()) {
    const auto where = fmt::format("attribute {}", stored.name());
    if (!stored.ref_attr_name().empty())
      return bad_input(where + " refers to a function's attribute, outside of a function");
    if (node.attribute(stored.name())) return bad_input(where + " is given twice");
    const auto kind = attribute_type(stored);
    if (kind == onnx::AttributeProto::GRAPH) {
      EDGEC_ASSIGN(SubGraph graph, read_subgraph(*stored.mutable_g(), scope, depth, node.captures).in(where));
      node.attributes.push_back({stored.name(), std::move(graph)});
    } else if (kind == onnx::AttributeProto::GRAPHS) {
      std::vector<SubGraph> graphs;
      for (auto &one : *stored.mutable_graphs()) {
        EDGEC_ASSIGN(SubGraph graph, read_subgraph(one, scope, depth, node.captures).in(where));
        graphs.push_back(std::move(graph));
      }
      node.attributes.push_back({stored.name(), std::move(graphs)});
    } else {
      std::string name = stored.name();
      EDGEC_ASSIGN(AttributeValue value, read_attribute(stored, &external_).in(where));
      node.attributes.push_back({std::move(name), std::move(value)});
    }
  }
  return {};
}

Status GraphReader::read_node(onnx::NodeProto &proto, Scope &scope, int depth, std::string origin) {
  Node node{
      .op = proto.op_type(), .domain = domain_name(proto.domain()), .name = proto.name(), .doc = proto.doc_string()};
  node.overload = proto.overload();
  node.metadata = read_metadata(proto);
  node.origins = {origin};
  if (node.op.empty()) return bad_input("it has no operator type");
  for (const auto &name : proto.input()) {
    const ValueId id = name.empty() ? ValueId{} : find(scope, name);
    if (!name.empty() && !id.valid()) return bad_input(fmt::format("its input \"{}\" is computed by nothing", name));
    node.inputs.push_back(id);
  }
  EDGEC_CHECK(read_attributes(proto, scope, depth, node));
  for (const auto &name : proto.output()) node.outputs.push_back(name.empty() ? ValueId{} : scope.values.at(name));
  scope.graph.add_node(std::move(node));
  return {};
}

Status GraphReader::read_outputs(const onnx::GraphProto &proto, Scope &scope) {
  std::unordered_set<std::string> seen;
  for (const auto &output : proto.output()) {
    const bool own = scope.values.contains(output.name());
    ValueId id = find(scope, output.name());
    if (!id.valid()) return bad_input(fmt::format("graph output \"{}\" is computed by nothing", output.name()));
    if (!seen.insert(output.name()).second && !scope.outer)
      return bad_input(fmt::format("graph output \"{}\" is listed twice", output.name()));
    if (!own || std::ranges::find(scope.graph.captures(), id) != scope.graph.captures().end()) {
      // ONNX forbids an outer value as a sub-graph's output.
      Node identity{.op = "Identity", .inputs = {id}};
      id = scope.graph.add_op(std::move(identity), scope.graph.value(id).type);
      model_.notes.push_back(
          fmt::format("sub-graph output \"{}\" is a value from outside: an Identity was put in", output.name()));
    }
    scope.graph.add_output(id, output.name());
  }
  return {};
}

Status GraphReader::read(onnx::GraphProto &proto, Scope &scope, int depth) {
  if (depth > nesting_limit) return unsupported(fmt::format("sub-graphs are nested deeper than {}", nesting_limit));
  scope.graph.name = proto.name();
  scope.graph.doc = proto.doc_string();
  scope.graph.metadata = read_metadata(proto);
  scope.graph.opsets = model_.graph.opsets;
  EDGEC_CHECK(read_inputs(proto, scope));
  EDGEC_CHECK(read_initializers(proto, scope));
  EDGEC_CHECK(declare_outputs(proto, scope));
  std::unordered_map<std::string, int> names, types;
  for (const auto &node : proto.node()) ++names[node.name()];
  for (auto &node : *proto.mutable_node()) {
    const int index = types[node.op_type()]++;
    const bool named = !node.name().empty() && names[node.name()] == 1;
    std::string origin = named ? node.name() : fmt::format("{}#{}", node.op_type(), index);
    EDGEC_CHECK(read_node(node, scope, depth, origin).in(fmt::format("node {} ({})", origin, node.op_type())));
  }
  const auto repeated =
      std::ranges::count_if(names, [](const auto &entry) { return !entry.first.empty() && entry.second > 1; });
  if (repeated > 0)
    model_.notes.push_back(
        fmt::format("{} name{} given to several nodes: written as ONNX, all but the first get a number behind it",
                    repeated, repeated == 1 ? " is" : "s are"));
  EDGEC_CHECK(read_outputs(proto, scope));
  if (proto.quantization_annotation_size() > 0)
    model_.notes.push_back(
        fmt::format("{} quantization annotations were dropped", proto.quantization_annotation_size()));
  return scope.graph.sort();
}

} // namespace

Status read_graph(onnx::GraphProto &proto, const OnnxReadOptions &options, ExternalData &external, Model &model) {
  Scope scope;
  GraphReader reader(options, external, model);
  EDGEC_CHECK(reader.read(proto, scope, 0));
  if (shapes_are_wrong(model))
    model.notes.push_back("the file's shapes contradict each other: those of its outputs are not believed");
  model.graph = std::move(scope.graph);
  return {};
}

} // namespace edgec::proto
