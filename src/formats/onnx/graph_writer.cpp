// Graph to GraphProto: every value gets a name that is unique in what it sees.
#include "formats/onnx/graph_writer.h"

#include <array>
#include <fmt/format.h>
#include <unordered_map>
#include <unordered_set>

#include "formats/onnx/wire.h"

namespace edgec::proto {
namespace {

/// Names given in a graph and, by `outer`, in those around it.
struct Names {
  const Names *outer = nullptr;
  std::unordered_set<std::string> taken;
  std::vector<std::string> of; // by value id
  std::size_t next = 0;        // next short name to try

  [[nodiscard]] bool is_free(const std::string &name) const {
    return !name.empty() && !taken.contains(name) && (!outer || outer->is_free(name));
  }
  /// "a" ... "z", "A" ... "Z", "aa", ...: the first that is free.
  std::string fresh() {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (;;) {
      std::string name;
      for (std::size_t rest = ++next; rest > 0; rest = (rest - 1) / letters.size())
        name += letters[(rest - 1) % letters.size()];
      if (is_free(name)) return name;
    }
  }
  std::string claim(const std::string &wanted) {
    std::string name = is_free(wanted) ? wanted : fresh();
    taken.insert(name);
    return name;
  }
};

void collect_node_names(const Graph &graph, std::unordered_set<std::string> &names) {
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    names.insert(node.name);
    for (const Attribute &attribute : node.attributes) {
      if (const auto *one = std::get_if<SubGraph>(&attribute.value)) collect_node_names(**one, names);
      if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value))
        for (const SubGraph &body : *many) collect_node_names(*body, names);
    }
  }
}

class GraphWriter {
public:
  GraphWriter(const Model &model, Weights weights, const std::string &location)
      : model_(model), weights_(weights), location_(location) {
    collect_node_names(model.graph, node_names_);
  }
  void write(const Graph &graph, onnx::GraphProto &proto, const Names *outer, std::span<const std::string> captures);

  std::vector<ByteView> blobs;

private:
  const Model &model_;
  Weights weights_;
  const std::string &location_;
  std::uint64_t external_bytes_ = 0;
  std::unordered_set<std::string> node_names_; // of all nodes, sub-graphs' among them
  std::unordered_map<std::string, int> given_names_;

  static std::vector<std::string> name_values(const Graph &graph, Names &names, std::span<const std::string> captures);
  std::string node_name(const std::string &wanted);
  void write_node(const Node &node, onnx::NodeProto &proto, const Names &names);
  static void write_info(const Value &value, const std::string &name, onnx::ValueInfoProto &proto);
  void put_elsewhere(const Tensor &data, onnx::TensorProto &proto);
  void write_initializers(const Graph &graph, onnx::GraphProto &proto, const Names &names);
};

/// Names all values, outputs first; gives the names of the graph's outputs. An output whose value bears another name
/// needs an Identity.
std::vector<std::string> GraphWriter::name_values(const Graph &graph, Names &names,
                                                  std::span<const std::string> captures) {
  names.of.assign(graph.value_bound(), {});
  for (std::size_t i = 0; i < captures.size(); ++i) names.of[graph.captures()[i].index] = captures[i];
  for (const ValueId input : graph.inputs()) names.of[input.index] = names.claim(graph.value(input).name);
  std::vector<std::string> outputs;
  for (const GraphOutput &output : graph.outputs()) {
    std::string &given = names.of[output.value.index];
    if (!names.outer && given == output.name) { // a graph input that is an output under its own name
      outputs.push_back(given);
      continue;
    }
    const bool produced = graph.value(output.value).producer.valid() || graph.value(output.value).name == output.name;
    outputs.push_back(names.claim(output.name));
    if (given.empty() && produced) given = outputs.back();
  }
  // Names that are free stay, so they are claimed before short ones are made up.
  std::vector<ValueId> unnamed;
  for (const ValueId id : graph.values()) {
    std::string &given = names.of[id.index];
    if (!given.empty()) continue;
    if (names.is_free(graph.value(id).name))
      given = names.claim(graph.value(id).name);
    else
      unnamed.push_back(id);
  }
  for (const ValueId id : unnamed) names.of[id.index] = names.claim({});
  return outputs;
}

/// Many tools find nodes by their names, so that no two may have the same.
std::string GraphWriter::node_name(const std::string &wanted) {
  int &count = given_names_[wanted]; // so often was it given
  std::string name = wanted;
  if (count++ == 0) return name;
  for (;; ++count) {
    name = fmt::format("{}_{}", wanted, count - 1);
    if (node_names_.insert(name).second) return name;
  }
}

void GraphWriter::write_node(const Node &node, onnx::NodeProto &proto, const Names &names) {
  const auto name_of = [&](ValueId id) { return id.valid() ? names.of[id.index] : std::string(); };
  for (const ValueId id : node.inputs) proto.add_input(name_of(id));
  for (const ValueId id : node.outputs) proto.add_output(name_of(id));
  proto.set_op_type(node.op);
  if (!node.name.empty()) proto.set_name(node_name(node.name));
  if (!node.domain.empty()) proto.set_domain(node.domain);
  if (!node.overload.empty()) proto.set_overload(node.overload);
  if (!node.doc.empty()) proto.set_doc_string(node.doc);
  put_metadata(node.metadata, proto);
  std::size_t capture = 0;
  const auto write_subgraph = [&](const SubGraph &graph, onnx::GraphProto &made) {
    std::vector<std::string> captures;
    for (std::size_t i = 0; i < graph->captures().size(); ++i) captures.push_back(name_of(node.captures[capture++]));
    write(*graph, made, &names, captures);
  };
  for (const Attribute &attribute : node.attributes) {
    auto &made = *proto.add_attribute();
    const auto *tensor = std::get_if<Tensor>(&attribute.value);
    if (tensor && !names.outer && weights_ == Weights::lowered && node.is("Constant") &&
        tensor->data.size() > big_bytes) {
      made.set_name(attribute.name);
      made.set_type(onnx::AttributeProto::TENSOR);
      put_elsewhere(*tensor, *made.mutable_t());
      continue;
    }
    if (put_attribute(attribute, made)) continue;
    if (const auto *graph = std::get_if<SubGraph>(&attribute.value)) {
      made.set_type(onnx::AttributeProto::GRAPH);
      write_subgraph(*graph, *made.mutable_g());
    } else if (const auto *graphs = std::get_if<std::vector<SubGraph>>(&attribute.value)) {
      made.set_type(onnx::AttributeProto::GRAPHS);
      for (const SubGraph &one : *graphs) write_subgraph(one, *made.add_graphs());
    }
  }
}

void GraphWriter::write_info(const Value &value, const std::string &name, onnx::ValueInfoProto &proto) {
  proto.set_name(name);
  if (value.type.kind != Type::Kind::unknown) put_type(value.type, *proto.mutable_type());
  if (!value.doc.empty()) proto.set_doc_string(value.doc);
  put_metadata(value.metadata, proto);
}

/// Bytes in the other file begin at multiples of 64, so that a mapped file serves as it is.
void GraphWriter::put_elsewhere(const Tensor &data, onnx::TensorProto &proto) {
  static constexpr std::array<std::byte, 64> padding{};
  const bool lowered = weights_ == Weights::lowered;
  const auto gap = lowered ? 0 : (padding.size() - external_bytes_ % padding.size()) % padding.size();
  if (gap > 0) blobs.push_back(ByteView(padding).first(gap));
  external_bytes_ += gap;
  proto.set_data_type(static_cast<int>(data.dtype));
  for (const auto dim : data.dims) proto.add_dims(dim);
  proto.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto add = [&](const char *key, std::string value) {
    auto &entry = *proto.add_external_data();
    entry.set_key(key);
    entry.set_value(std::move(value));
  };
  add("location", lowered ? std::string(own_file) : location_);
  add("offset", std::to_string(lowered ? blobs.size() : external_bytes_));
  add("length", std::to_string(data.data.size()));
  blobs.push_back(data.data.bytes());
  external_bytes_ += data.data.size();
}

void GraphWriter::write_initializers(const Graph &graph, onnx::GraphProto &proto, const Names &names) {
  for (const ValueId id : graph.values()) {
    const Value &value = graph.value(id);
    if (!value.data) continue;
    // Shapes are computed from small and integer constants.
    const bool shape_like = value.type.dtype == DType::int64 || value.type.dtype == DType::int32;
    const bool big = !names.outer && value.data->data.size() > (shape_like ? 65536U : 1024U);
    if (weights_ == Weights::left_out && big) {
      write_info(value, names.of[id.index], *proto.add_input());
      continue;
    }
    auto &tensor = *proto.add_initializer();
    const bool lowered = !names.outer && weights_ == Weights::lowered && value.data->data.size() > big_bytes;
    if (lowered || (weights_ == Weights::external && big))
      put_elsewhere(*value.data, tensor);
    else
      put_tensor(*value.data, tensor);
    tensor.set_name(names.of[id.index]);
    if (!value.doc.empty()) tensor.set_doc_string(value.doc);
    put_metadata(value.metadata, tensor);
  }
  if (names.outer) return;
  for (const ValueId id : graph.inputs()) {
    const auto stored = model_.input_defaults.find(graph.value(id).name);
    if (stored == model_.input_defaults.end()) continue;
    auto &tensor = *proto.add_initializer();
    put_tensor(stored->second, tensor);
    tensor.set_name(names.of[id.index]);
  }
}

void GraphWriter::write(const Graph &graph, onnx::GraphProto &proto, const Names *outer,
                        std::span<const std::string> captures) {
  Names names{.outer = outer};
  const std::vector<std::string> outputs = name_values(graph, names, captures);
  proto.set_name(graph.name.empty() ? "g" : graph.name); // the checker wants one
  if (!graph.doc.empty()) proto.set_doc_string(graph.doc);
  put_metadata(graph.metadata, proto);
  for (const ValueId id : graph.inputs()) write_info(graph.value(id), names.of[id.index], *proto.add_input());
  write_initializers(graph, proto, names);
  for (const NodeId id : graph.nodes()) write_node(graph.node(id), *proto.add_node(), names);
  std::unordered_set<std::uint32_t> listed;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const ValueId id = graph.outputs()[i].value;
    if (names.of[id.index] != outputs[i]) {
      auto &identity = *proto.add_node();
      identity.set_op_type("Identity");
      identity.add_input(names.of[id.index]);
      identity.add_output(outputs[i]);
    } else {
      listed.insert(id.index);
    }
    write_info(graph.value(id), outputs[i], *proto.add_output());
  }
  for (const ValueId id : graph.values()) {
    const Value &value = graph.value(id);
    const Node *producer = graph.producer(id);
    if (!producer || listed.contains(id.index)) continue;
    const bool foreign = !producer->domain.empty() && value.type.kind != Type::Kind::unknown;
    if (foreign || !value.metadata.empty() || !value.doc.empty())
      write_info(value, names.of[id.index], *proto.add_value_info());
  }
}

} // namespace

std::vector<ByteView> write_graph(const Model &model, onnx::GraphProto &proto, Weights weights,
                                  const std::string &location) {
  GraphWriter writer(model, weights, location);
  writer.write(model.graph, proto, nullptr, {});
  return std::move(writer.blobs);
}

void put_opsets(const Opsets &opsets, onnx::ModelProto &proto) {
  for (const auto &[domain, version] : opsets) {
    auto &import = *proto.add_opset_import();
    if (!domain.empty()) import.set_domain(domain);
    import.set_version(version);
  }
}

} // namespace edgec::proto
