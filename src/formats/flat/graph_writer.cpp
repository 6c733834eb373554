#include <algorithm>
#include <array>
#include <bit>
#include <fmt/format.h>

#include "formats/flat/graph_generated.h"
#include "formats/flat/graph_section.h"

namespace edgec::flat {

std::vector<ValueId> file_order(const Graph &graph) {
  std::vector<ValueId> order = graph.inputs();
  order.insert(order.end(), graph.captures().begin(), graph.captures().end());
  std::vector<char> listed(graph.value_bound());
  for (const ValueId id : order) listed[id.index] = 1;
  for (const ValueId id : graph.values()) {
    const Value &value = graph.value(id);
    if (listed[id.index] == 0 && (value.data || value.producer.valid())) order.push_back(id);
  }
  return order;
}

namespace {

/// The writer's own mistakes must not become files that no reader takes.
Status check_order(const Graph &graph) {
  std::vector<char> given(graph.value_bound());
  for (const ValueId id : file_order(graph)) given[id.index] = graph.value(id).producer.valid() ? 0 : 1;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    for (const auto *list : {&node.inputs, &node.captures})
      for (const ValueId operand : *list)
        if (operand.valid() && given[operand.index] == 0)
          return internal_error(fmt::format("node {} reads a value that nothing before it gives", node.label()));
    for (const ValueId out : node.outputs)
      if (out.valid()) given[out.index] = 1;
  }
  for (const GraphOutput &out : graph.outputs())
    if (given[out.value.index] == 0) return internal_error(fmt::format("nothing gives output {}", out.name));
  return {};
}

std::optional<HashedPlaces> hashed_places(const Value &value) {
  const auto found =
      std::ranges::find(value.metadata, hashed_key, [](const auto &pair) { return std::string_view(pair.first); });
  return found == value.metadata.end() ? std::nullopt : parse_hashed(found->second);
}

template <class T>
using Offset = flatbuffers::Offset<T>;
template <class T>
using Offsets = Offset<flatbuffers::Vector<Offset<T>>>;

/// Writes one model. Strings and vectors come before the table that holds them, as FlatBuffers asks.
class Writer {
public:
  Writer(const Model &model, TensorStore &tensors, const FlatWriteOptions &options)
      : model_(model), tensors_(tensors), options_(options) {}

  Result<std::vector<std::byte>> write();

private:
  struct Queued {
    const Graph *graph;
    int depth;
  };

  const Model &model_;
  TensorStore &tensors_;
  const FlatWriteOptions &options_;
  flatbuffers::FlatBufferBuilder builder_{65536};
  bool full_ = false;
  std::vector<Queued> graphs_;
  std::map<std::string, std::uint32_t> symbol_index_, type_index_;
  std::vector<std::string> symbols_;
  std::vector<Offset<fb::Type>> types_;
  std::map<std::array<std::string, 4>, std::uint32_t> operator_index_;
  std::vector<Offset<fb::Operator>> operators_;
  std::vector<float> scales_; ///< of types, one after another: so they are coded together

  /// False once `bytes` more might pass FlatBuffers' limit, which only an assert of its own would notice.
  bool room(std::size_t bytes) {
    full_ = full_ || bytes > max_section_bytes - std::min<std::size_t>(builder_.GetSize(), max_section_bytes);
    return !full_;
  }
  Offset<flatbuffers::String> text(const std::string &value) {
    if (value.empty() || !room(value.size() + 256)) return 0;
    return builder_.CreateSharedString(value);
  }
  template <class T>
  Offset<flatbuffers::Vector<T>> numbers(const std::vector<T> &values) {
    if (!room(values.size() * sizeof(T) + 256)) return 0;
    return builder_.CreateVector(values);
  }
  template <class T>
  Offset<flatbuffers::Vector<T>> some(const std::vector<T> &values) { // absent where empty
    return values.empty() ? 0 : numbers(values);
  }
  template <class T>
  Offsets<T> tables(const std::vector<Offset<T>> &values) {
    if (values.empty() || !room(values.size() * sizeof(Offset<T>) + 256)) return 0;
    return builder_.CreateVector(values);
  }
  Offsets<flatbuffers::String> texts(const std::vector<std::string> &values);
  Offsets<fb::Pair> metadata(const Metadata &pairs);
  struct Scales {
    std::uint32_t first = 0, count = 0, tensor = none;
  };
  Scales scales(const std::vector<float> &wanted);
  std::int64_t dim(const Dim &dim);
  std::uint32_t type(const Type &type);
  std::uint32_t op(const Graph &graph, const Node &node);
  Result<std::uint32_t> sub_graph(const SubGraph &graph, int depth);
  Result<Offset<fb::Attribute>> attribute(const Attribute &attribute, int depth);
  Result<Offset<fb::Node>> node(const Graph &graph, const Node &node, const std::vector<std::uint32_t> &number,
                                int depth);
  Result<Offset<fb::Graph>> graph(const Graph &graph, int depth);
  Offset<fb::Value> value(const Graph &graph, ValueId id, bool named);
  Offsets<fb::Tensor> tensor_records();
};

Offsets<flatbuffers::String> Writer::texts(const std::vector<std::string> &values) {
  std::vector<Offset<flatbuffers::String>> offsets;
  for (const std::string &value : values)
    if (room(value.size() + 256)) offsets.push_back(builder_.CreateSharedString(value));
  return tables(offsets);
}

Offsets<fb::Pair> Writer::metadata(const Metadata &pairs) {
  std::vector<Offset<fb::Pair>> offsets;
  for (const auto &[key, content] : pairs) {
    const auto first = text(key);
    const auto second = text(content);
    if (!full_) offsets.push_back(fb::CreatePair(builder_, first, second));
  }
  return tables(offsets);
}

std::int64_t Writer::dim(const Dim &dim) {
  if (dim.is_known()) return dim.size;
  if (dim.symbol.empty()) return -1;
  const auto [found, fresh] = symbol_index_.try_emplace(dim.symbol, static_cast<std::uint32_t>(symbols_.size()));
  if (fresh) symbols_.push_back(dim.symbol);
  return -2 - std::int64_t{found->second};
}

std::uint32_t Writer::type(const Type &wanted) {
  const std::uint32_t element = wanted.element ? type(*wanted.element) : none;
  std::vector<std::int64_t> shape;
  if (wanted.shape)
    for (const Dim &each : *wanted.shape) shape.push_back(dim(each));
  std::string key = fmt::format("{} {} {} {}", static_cast<int>(wanted.kind), static_cast<int>(wanted.dtype), element,
                                wanted.shape ? 1 : 0);
  for (const std::int64_t each : shape) key += fmt::format(" {}", each);
  if (wanted.quant) {
    key += fmt::format(" q {} {}", wanted.quant->axis, wanted.quant->block);
    for (const float scale : wanted.quant->scales) key += fmt::format(" {:x}", std::bit_cast<std::uint32_t>(scale));
    for (const std::int32_t zero : wanted.quant->zero_points) key += fmt::format(" {}", zero);
  }
  const auto [found, fresh] = type_index_.try_emplace(std::move(key), static_cast<std::uint32_t>(types_.size()));
  if (!fresh) return found->second;
  Offset<fb::Quant> quant = 0;
  if (wanted.quant) {
    const auto &zeros = wanted.quant->zero_points;
    const bool all_zero = std::ranges::all_of(zeros, [](std::int32_t zero) { return zero == 0; });
    const auto own = options_.plain ? numbers(wanted.quant->scales) : 0;
    const Scales shared = options_.plain ? Scales{} : scales(wanted.quant->scales);
    const auto zero_points = all_zero ? 0 : numbers(zeros);
    if (!full_)
      quant = fb::CreateQuant(builder_, own, zero_points, wanted.quant->axis, wanted.quant->block, shared.first,
                              shared.count, shared.tensor);
  }
  const auto dims = wanted.shape ? numbers(shape) : 0;
  if (full_) return 0;
  types_.push_back(fb::CreateType(builder_, static_cast<std::uint8_t>(wanted.kind),
                                  static_cast<std::uint8_t>(wanted.dtype), dims, quant, element));
  return found->second;
}

/// An explicit DequantizeLinear has the same scales as a constant: then they are stored once.
Writer::Scales Writer::scales(const std::vector<float> &wanted) {
  const auto count = static_cast<std::uint32_t>(wanted.size());
  for (const Dims &dims : {Dims{}, Dims{count}})
    if (dims.size() == 1 || count == 1)
      if (const auto known = tensors_.find(Tensor::of<float>(dims, wanted))) return {0, count, *known};
  const auto first = static_cast<std::uint32_t>(scales_.size());
  scales_.insert(scales_.end(), wanted.begin(), wanted.end());
  return {first, count, none};
}

std::uint32_t Writer::op(const Graph &graph, const Node &node) {
  const std::int64_t own = graph.opset(node.domain);
  const std::int64_t version = own != 0 ? own : model_.graph.opset(node.domain);
  const auto [found, fresh] = operator_index_.try_emplace(
      {node.domain, node.op, node.overload, std::to_string(version)}, static_cast<std::uint32_t>(operators_.size()));
  if (!fresh) return found->second;
  const auto domain = text(node.domain);
  const auto name = text(node.op);
  const auto overload = text(node.overload);
  if (!full_) operators_.push_back(fb::CreateOperator(builder_, domain, name, overload, version));
  return found->second;
}

Result<std::uint32_t> Writer::sub_graph(const SubGraph &graph, int depth) {
  if (!graph) return internal_error("a sub-graph attribute holds no graph");
  if (depth >= max_graph_depth)
    return unsupported(fmt::format("sub-graphs are nested deeper than {}", max_graph_depth));
  graphs_.push_back({graph.get(), depth + 1});
  return static_cast<std::uint32_t>(graphs_.size() - 1);
}

/// What an attribute consists of in the file, whatever its kind.
struct Parts {
  int kind = 0;
  std::vector<std::int64_t> ints;
  std::vector<float> floats;
  std::vector<std::string> strings;
  std::vector<std::uint32_t> ids;
};

Result<Offset<fb::Attribute>> Writer::attribute(const Attribute &attribute, int depth) {
  Parts parts;
  Status status;
  const auto graph_id = [&](const SubGraph &graph) {
    auto id = sub_graph(graph, depth);
    if (id)
      parts.ids.push_back(*id);
    else if (status)
      status = std::move(id).error();
  };
  std::visit(
      [&]<class T>(const T &content) {
        using std::is_same_v;
        if constexpr (is_same_v<T, float>)
          parts.kind = 1, parts.floats = {content};
        else if constexpr (is_same_v<T, std::int64_t>)
          parts.kind = 2, parts.ints = {content};
        else if constexpr (is_same_v<T, std::string>)
          parts.kind = 3, parts.strings = {content};
        else if constexpr (is_same_v<T, Tensor>)
          parts.kind = 4, parts.ids = {tensors_.add(content)};
        else if constexpr (is_same_v<T, SubGraph>)
          parts.kind = 5, graph_id(content);
        else if constexpr (is_same_v<T, std::vector<float>>)
          parts.kind = 6, parts.floats = content;
        else if constexpr (is_same_v<T, std::vector<std::int64_t>>)
          parts.kind = 7, parts.ints = content;
        else if constexpr (is_same_v<T, std::vector<std::string>>)
          parts.kind = 8, parts.strings = content;
        else if constexpr (is_same_v<T, Type>)
          parts.kind = 13, parts.ids = {type(content)};
        else if constexpr (is_same_v<T, OpaqueAttribute>)
          parts.kind = 100, parts.strings = {content.bytes};
        else if constexpr (is_same_v<T, std::vector<Tensor>>) {
          parts.kind = 9;
          for (const Tensor &each : content) parts.ids.push_back(tensors_.add(each));
        } else if constexpr (is_same_v<T, std::vector<SubGraph>>) {
          parts.kind = 10;
          for (const SubGraph &each : content) graph_id(each);
        } else {
          static_assert(is_same_v<T, std::vector<Type>>);
          parts.kind = 14;
          for (const Type &each : content) parts.ids.push_back(type(each));
        }
      },
      attribute.value);
  EDGEC_CHECK(std::move(status).in("attribute " + attribute.name));
  const auto name = text(attribute.name);
  const auto ints = some(parts.ints);
  const auto floats = some(parts.floats);
  const auto strings = texts(parts.strings);
  const auto ids = some(parts.ids);
  if (full_) return Offset<fb::Attribute>(0);
  return fb::CreateAttribute(builder_, name, static_cast<std::uint8_t>(parts.kind), ints, floats, strings, ids);
}

Result<Offset<fb::Node>> Writer::node(const Graph &graph, const Node &node, const std::vector<std::uint32_t> &number,
                                      int depth) {
  std::vector<Offset<fb::Attribute>> attributes;
  for (const Attribute &each : node.attributes) {
    EDGEC_ASSIGN(const auto offset, attribute(each, depth).in("node " + node.label()));
    attributes.push_back(offset);
  }
  const auto ids = [&](const std::vector<ValueId> &values) {
    std::vector<std::uint32_t> found;
    for (const ValueId id : values) found.push_back(id.valid() ? number[id.index] : none);
    return some(found);
  };
  const std::uint32_t operation = op(graph, node);
  const auto name = options_.inner_names ? text(node.name) : 0;
  const auto inputs = ids(node.inputs);
  const auto captures = ids(node.captures);
  const auto outputs = ids(node.outputs);
  const auto attribute_list = tables(attributes);
  const auto origins = options_.inner_names ? texts(node.origins) : 0;
  const auto pairs = metadata(node.metadata);
  const auto doc = text(node.doc);
  if (full_) return Offset<fb::Node>(0);
  return fb::CreateNode(builder_, operation, name, inputs, captures, outputs, attribute_list, origins, pairs, doc);
}

Offset<fb::Value> Writer::value(const Graph &graph, ValueId id, bool named) {
  const Value &value = graph.value(id);
  const std::uint32_t type_id = type(value.type);
  const std::uint32_t tensor = value.data ? tensors_.add(*value.data) : none;
  const auto name = named ? text(value.name) : 0;
  const auto pairs = metadata(value.metadata);
  const auto doc = text(value.doc);
  return full_ ? Offset<fb::Value>(0) : fb::CreateValue(builder_, type_id, tensor, name, pairs, doc);
}

Result<Offset<fb::Graph>> Writer::graph(const Graph &graph, int depth) {
  EDGEC_CHECK(check_order(graph));
  const std::vector<ValueId> order = file_order(graph);
  std::vector<std::uint32_t> number(graph.value_bound(), none);
  std::vector<Offset<fb::Value>> values;
  for (const ValueId id : order) {
    number[id.index] = static_cast<std::uint32_t>(values.size());
    const bool outer = values.size() < graph.inputs().size() || graph.is_output(id);
    values.push_back(value(graph, id, options_.inner_names || outer));
  }
  std::vector<Offset<fb::Node>> nodes;
  for (const NodeId id : graph.nodes()) {
    EDGEC_ASSIGN(const auto offset, node(graph, graph.node(id), number, depth));
    nodes.push_back(offset);
  }
  std::vector<Offset<fb::Output>> outputs;
  for (const GraphOutput &out : graph.outputs()) {
    const auto name = text(out.name);
    if (!full_) outputs.push_back(fb::CreateOutput(builder_, number[out.value.index], name));
  }
  std::vector<Offset<fb::Opset>> opsets;
  for (const auto &[domain, version] : graph.opsets) {
    const auto name = text(domain);
    if (!full_) opsets.push_back(fb::CreateOpset(builder_, name, version));
  }
  const auto name = text(graph.name);
  const auto doc = text(graph.doc);
  const auto opset_list = tables(opsets);
  const auto pairs = metadata(graph.metadata);
  const auto value_list = tables(values);
  const auto output_list = tables(outputs);
  const auto node_list = tables(nodes);
  if (full_) return Offset<fb::Graph>(0);
  return fb::CreateGraph(builder_, name, doc, opset_list, pairs, value_list,
                         static_cast<std::uint32_t>(graph.inputs().size()),
                         static_cast<std::uint32_t>(graph.captures().size()), output_list, node_list);
}

Offsets<fb::Tensor> Writer::tensor_records() {
  std::vector<Offset<fb::Tensor>> offsets;
  for (const TensorRecord &record : tensors_.records()) {
    const auto dims = numbers(record.tensor.dims);
    const auto strings = record.tensor.strings ? texts(*record.tensor.strings) : 0;
    const Location at = record.block == none ? Location{none, 0} : tensors_.location(record);
    if (!full_)
      offsets.push_back(fb::CreateTensor(builder_, static_cast<std::uint8_t>(record.tensor.dtype), dims, at.section,
                                         at.offset, strings));
  }
  return tables(offsets);
}

Result<std::vector<std::byte>> Writer::write() {
  for (const ValueId id : model_.graph.values()) // first of all: scales may be among them
    if (const Tensor *data = model_.graph.constant(id)) tensors_.add(*data, hashed_places(model_.graph.value(id)));
  graphs_.push_back({&model_.graph, 0});
  std::vector<Offset<fb::Graph>> graphs;
  for (std::size_t i = 0; i < graphs_.size(); ++i) { // grows as sub-graphs are met
    EDGEC_ASSIGN(const auto offset, graph(*graphs_[i].graph, graphs_[i].depth));
    graphs.push_back(offset);
  }
  const auto producer = text(model_.producer_name);
  const auto producer_version = text(model_.producer_version);
  const auto domain = text(model_.domain);
  const auto doc = text(model_.doc);
  const auto pairs = metadata(model_.metadata);
  const auto symbols = texts(symbols_);
  const auto types = tables(types_);
  const auto scale_count = static_cast<std::int64_t>(scales_.size());
  const std::uint32_t scale_tensor = scales_.empty() ? none : tensors_.add(Tensor::of<float>({scale_count}, scales_));
  const auto tensors = tensor_records();
  const auto operators = tables(operators_);
  const auto graph_list = tables(graphs);
  if (full_) return unsupported("the model's structure, without its weights, reaches FlatBuffers' limit of 2 GiB");
  builder_.Finish(fb::CreateModel(builder_, model_.ir_version, producer, producer_version, domain, doc,
                                  model_.model_version, pairs, symbols, types, tensors, operators, graph_list,
                                  scale_tensor),
                  fb::ModelIdentifier());
  const auto *begin = reinterpret_cast<const std::byte *>(builder_.GetBufferPointer());
  return std::vector<std::byte>(begin, begin + builder_.GetSize());
}

} // namespace

Result<std::vector<std::byte>> write_graph_section(const Model &model, TensorStore &tensors,
                                                   const FlatWriteOptions &options) {
  return Writer(model, tensors, options).write();
}

} // namespace edgec::flat
