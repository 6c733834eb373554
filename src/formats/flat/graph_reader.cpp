#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <set>

#include "formats/flat/graph_generated.h"
#include "formats/flat/graph_section.h"

namespace edgec::flat {
namespace {

constexpr int max_type_depth = 16;

template <class T>
using Vector = flatbuffers::Vector<T>;
template <class T>
using Tables = Vector<flatbuffers::Offset<T>>;

template <class T>
std::size_t length(const Vector<T> *list) {
  return list == nullptr ? 0 : list->size();
}

/// Reads one verified FlatBuffer, checking what its verifier cannot know.
class Reader {
public:
  Reader(const fb::Model &file, std::size_t size, const SectionLoader &load)
      : file_(file), budget_(size * 64 + (std::size_t{1} << 20)), load_(load) {}

  Result<Model> read();

private:
  const fb::Model &file_;
  std::size_t budget_; ///< bytes that may still be copied: parts of a FlatBuffer may be shared by many tables
  const SectionLoader &load_;
  std::vector<std::string> symbols_;
  std::vector<Type> types_;
  std::vector<int> type_depth_;
  std::vector<Tensor> tensors_;
  std::map<std::uint32_t, Storage> sections_;
  std::vector<SubGraph> graphs_; ///< read so far; taken by the node that uses it
  std::vector<int> height_;      ///< sub-graphs below each

  Status spend(std::size_t bytes) {
    if (bytes > budget_) return bad_input("its parts are repeated until they unfold to more than is allowed");
    budget_ -= bytes;
    return {};
  }
  Result<std::string> text(const flatbuffers::String *string) {
    if (string == nullptr) return std::string();
    EDGEC_CHECK(spend(string->size()));
    return string->str();
  }
  template <class T>
  Result<std::vector<T>> numbers(const Vector<T> *list) {
    if (list == nullptr) return std::vector<T>();
    EDGEC_CHECK(spend(list->size() * sizeof(T)));
    std::vector<T> found(list->size()); // copied as bytes: FlatBuffers' verifier lets 8-byte items lie at 4
    if (!found.empty()) std::memcpy(found.data(), list->Data(), found.size() * sizeof(T));
    return found;
  }
  Result<std::vector<std::string>> texts(const Tables<flatbuffers::String> *list);
  Result<Metadata> metadata(const Tables<fb::Pair> *list);
  Result<DType> dtype(int number);
  Result<std::vector<float>> shared_scales(const fb::Quant &stored);
  Result<Quant> quant(const fb::Quant &stored, const Type &type);
  Result<Type> type(const fb::Type &stored);
  Result<Type> copy_type(std::uint32_t index, std::uint32_t user = 0);
  Result<Tensor> tensor(const fb::Tensor &stored);
  Result<Storage> slice(const fb::Tensor &stored, std::size_t size);
  Result<Tensor> copy_tensor(std::uint32_t index, std::uint32_t user = 0);
  Result<SubGraph> take_graph(std::uint32_t index, std::uint32_t user);
  Result<AttributeValue> attribute(const fb::Attribute &stored, std::uint32_t user);
  Result<Node> node(const fb::Node &stored, std::uint32_t user);
  Status add_value(Graph &graph, const fb::Value &stored, std::size_t place, std::size_t inputs, std::size_t captures);
  Status add_nodes(Graph &graph, const fb::Graph &stored, std::uint32_t index);
  Result<Graph> graph(const fb::Graph &stored, std::uint32_t index);
};

Result<std::vector<std::string>> Reader::texts(const Tables<flatbuffers::String> *list) {
  std::vector<std::string> found;
  EDGEC_CHECK(spend(length(list) * sizeof(std::string)));
  for (std::size_t i = 0; i < length(list); ++i) {
    EDGEC_ASSIGN(found.emplace_back(), text(list->Get(static_cast<unsigned>(i))));
  }
  return found;
}

Result<Metadata> Reader::metadata(const Tables<fb::Pair> *list) {
  Metadata found;
  EDGEC_CHECK(spend(length(list) * sizeof(Metadata::value_type)));
  for (std::size_t i = 0; i < length(list); ++i) {
    const fb::Pair *pair = list->Get(static_cast<unsigned>(i));
    EDGEC_ASSIGN(std::string key, text(pair->key()));
    EDGEC_ASSIGN(std::string content, text(pair->value()));
    found.emplace_back(std::move(key), std::move(content));
  }
  return found;
}

Result<DType> Reader::dtype(int number) {
  if (number >= dtype_count) return unsupported(fmt::format("element type {} is unknown to this version", number));
  return static_cast<DType>(number);
}

/// Those of a type that names them among a tensor's elements.
Result<std::vector<float>> Reader::shared_scales(const fb::Quant &stored) {
  const std::uint32_t index = stored.scale_tensor() != none ? stored.scale_tensor() : file_.scales();
  if (index >= tensors_.size()) return bad_input(fmt::format("its scales are tensor {} of {}", index, tensors_.size()));
  const Tensor &tensor = tensors_[index];
  if (tensor.dtype != DType::float32)
    return bad_input(fmt::format("its scales are {}, float32 was expected", name(tensor.dtype)));
  const std::span<const float> all = tensor.as<float>();
  const std::size_t first = stored.first_scale(), count = stored.scale_count();
  if (first > all.size() || count > all.size() - first)
    return bad_input(fmt::format("its scales are {} + {} of {}", first, count, all.size()));
  EDGEC_CHECK(spend(count * sizeof(float)));
  return std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(first),
                            all.begin() + static_cast<std::ptrdiff_t>(first + count));
}

Result<Quant> Reader::quant(const fb::Quant &stored, const Type &type) {
  Quant found;
  EDGEC_ASSIGN(found.scales, stored.scales() == nullptr ? shared_scales(stored) : numbers(stored.scales()));
  EDGEC_ASSIGN(found.zero_points, numbers(stored.zero_points()));
  if (stored.zero_points() == nullptr) {
    EDGEC_CHECK(spend(found.scales.size() * sizeof(std::int32_t)));
    found.zero_points.resize(found.scales.size());
  }
  found.axis = stored.axis();
  found.block = stored.block();
  if (type.kind != Type::Kind::tensor || !is_integer(type.dtype))
    return bad_input(fmt::format("{} cannot be quantized, integers can", to_string(type)));
  if (found.axis < -1 || found.block < 0 || (found.axis < 0 && found.block > 0))
    return bad_input(fmt::format("quantized along axis {} in blocks of {}", found.axis, found.block));
  if (type.shape && found.axis >= static_cast<int>(type.shape->size()))
    return bad_input(fmt::format("quantized along axis {} of {}", found.axis, to_string(type)));
  std::int64_t expected = found.axis < 0 ? 1 : -1;
  if (found.axis >= 0 && type.shape) {
    Dims dims{(*type.shape)[static_cast<std::size_t>(found.axis)].size};
    if (const auto all = type.concrete(); found.block > 0 && all) {
      dims = *all;
      std::int64_t &along = dims[static_cast<std::size_t>(found.axis)];
      along = along / found.block + (along % found.block != 0 ? 1 : 0);
    }
    if (found.block == 0 || type.concrete()) expected = element_count(dims).value_or(-1);
  }
  const auto count = static_cast<std::int64_t>(found.scales.size());
  if (count == 0 || found.zero_points.size() != found.scales.size() || (expected >= 0 && count != expected))
    return bad_input(fmt::format("{} is quantized by {} scales and {} zero points", to_string(type), count,
                                 found.zero_points.size()));
  return found;
}

Result<Type> Reader::type(const fb::Type &stored) {
  Type found;
  if (stored.kind() > static_cast<int>(Type::Kind::unknown))
    return unsupported(fmt::format("kind {} is unknown to this version", stored.kind()));
  found.kind = static_cast<Type::Kind>(stored.kind());
  EDGEC_ASSIGN(found.dtype, dtype(stored.dtype()));
  if (const auto *shape = stored.shape()) {
    EDGEC_CHECK(spend(shape->size() * sizeof(Dim)));
    found.shape.emplace();
    EDGEC_ASSIGN(const std::vector<std::int64_t> sizes, numbers(shape));
    for (const std::int64_t size : sizes) {
      if (size >= -1) {
        found.shape->push_back({size, {}});
        continue;
      }
      const auto symbol = static_cast<std::uint64_t>(-(size + 2));
      if (symbol >= symbols_.size()) return bad_input(fmt::format("symbol {} of {}", symbol, symbols_.size()));
      EDGEC_CHECK(spend(symbols_[symbol].size()));
      found.shape->push_back(Dim::named(symbols_[symbol]));
    }
  }
  if (stored.quant() != nullptr) {
    EDGEC_ASSIGN(found.quant, quant(*stored.quant(), found));
  }
  int depth = 1;
  if (stored.element() != none) {
    if (stored.element() >= types_.size())
      return bad_input(fmt::format("its element is type {}, which does not stand before it", stored.element()));
    depth = type_depth_[stored.element()] + 1;
    if (depth > max_type_depth) return unsupported(fmt::format("types are nested deeper than {}", max_type_depth));
    EDGEC_ASSIGN(Type element, copy_type(stored.element()));
    found.element = std::make_shared<const Type>(std::move(element));
  }
  type_depth_.push_back(depth);
  return found;
}

Result<Type> Reader::copy_type(std::uint32_t index, std::uint32_t /*user*/) {
  if (index >= types_.size()) return bad_input(fmt::format("type {} of {}", index, types_.size()));
  const Type &wanted = types_[index];
  std::size_t size = sizeof(Type);
  if (wanted.quant) size += wanted.quant->scales.size() * (sizeof(float) + sizeof(std::int32_t));
  if (wanted.shape)
    for (const Dim &dim : *wanted.shape) size += sizeof(Dim) + dim.symbol.size();
  EDGEC_CHECK(spend(size));
  return wanted;
}

Result<Storage> Reader::slice(const fb::Tensor &stored, std::size_t size) {
  const auto known = sections_.find(stored.section());
  if (known == sections_.end()) {
    EDGEC_ASSIGN(sections_[stored.section()], load_(stored.section()));
  }
  const Storage &section = sections_[stored.section()];
  if (stored.offset() % tensor_alignment != 0)
    return bad_input(fmt::format("offset {} is not a multiple of {}", stored.offset(), tensor_alignment));
  if (stored.offset() > section.size() || size > section.size() - stored.offset())
    return bad_input(fmt::format("bytes {} + {} lie outside section {} of {} bytes", stored.offset(), size,
                                 stored.section(), section.size()));
  return section.slice(stored.offset(), size);
}

Result<Tensor> Reader::tensor(const fb::Tensor &stored) {
  Tensor found;
  EDGEC_ASSIGN(found.dtype, dtype(stored.dtype()));
  EDGEC_ASSIGN(found.dims, numbers(stored.dims()));
  const auto count = element_count(found.dims);
  if (!count || found.dtype == DType::undefined)
    return bad_input(fmt::format("{} with dims {}", name(found.dtype), fmt::join(found.dims, "x")));
  if (found.dtype == DType::string) {
    EDGEC_ASSIGN(std::vector<std::string> strings, texts(stored.strings()));
    if (static_cast<std::int64_t>(strings.size()) != *count)
      return bad_input(fmt::format("{} strings where its dims say {}", strings.size(), *count));
    found.strings = std::make_shared<const std::vector<std::string>>(std::move(strings));
    return found;
  }
  if (*count > (std::int64_t{1} << 55)) return bad_input(fmt::format("{} elements", *count)); // bytes stay below 2^62
  const std::size_t size = byte_size(found.dtype, *count);
  if (size > 0) {
    EDGEC_ASSIGN(found.data, slice(stored, size));
  }
  return found;
}

Result<Tensor> Reader::copy_tensor(std::uint32_t index, std::uint32_t /*user*/) {
  if (index >= tensors_.size()) return bad_input(fmt::format("tensor {} of {}", index, tensors_.size()));
  EDGEC_CHECK(spend(sizeof(Tensor) + tensors_[index].dims.size() * sizeof(std::int64_t)));
  return tensors_[index];
}

Result<SubGraph> Reader::take_graph(std::uint32_t index, std::uint32_t user) {
  if (index <= user || index >= graphs_.size())
    return bad_input(fmt::format("sub-graph {} of {}, one behind graph {} was expected", index, graphs_.size(), user));
  if (!graphs_[index]) return bad_input(fmt::format("sub-graph {} is used twice", index));
  height_[user] = std::max(height_[user], height_[index] + 1);
  if (height_[user] > max_graph_depth)
    return unsupported(fmt::format("sub-graphs are nested deeper than {}", max_graph_depth));
  return std::exchange(graphs_[index], nullptr);
}

/// A list as an attribute, and its only item as one.
template <class T>
Result<AttributeValue> all(Result<std::vector<T>> items) {
  if (!items) return std::move(items).error();
  return AttributeValue(std::move(*items));
}
template <class T>
Result<AttributeValue> one(Result<std::vector<T>> items) {
  if (!items) return std::move(items).error();
  if (items->size() != 1) return bad_input(fmt::format("{} items where it takes one", items->size()));
  return AttributeValue(std::move(items->front()));
}

Result<AttributeValue> Reader::attribute(const fb::Attribute &stored, std::uint32_t user) {
  const auto collect = [&]<class T>(Result<T> (Reader::*get)(std::uint32_t, std::uint32_t)) -> Result<std::vector<T>> {
    std::vector<T> found;
    for (std::size_t i = 0; i < length(stored.ids()); ++i) {
      EDGEC_ASSIGN(found.emplace_back(), (this->*get)(stored.ids()->Get(static_cast<unsigned>(i)), user));
    }
    return found;
  };
  switch (stored.kind()) {
  case 1: return one(numbers(stored.floats()));
  case 2: return one(numbers(stored.ints()));
  case 3: return one(texts(stored.strings()));
  case 4: return one(collect(&Reader::copy_tensor));
  case 5: return one(collect(&Reader::take_graph));
  case 6: return all(numbers(stored.floats()));
  case 7: return all(numbers(stored.ints()));
  case 8: return all(texts(stored.strings()));
  case 9: return all(collect(&Reader::copy_tensor));
  case 10: return all(collect(&Reader::take_graph));
  case 13: return one(collect(&Reader::copy_type));
  case 14: return all(collect(&Reader::copy_type));
  case 100: {
    EDGEC_ASSIGN(AttributeValue bytes, one(texts(stored.strings())));
    return AttributeValue(OpaqueAttribute{std::move(std::get<std::string>(bytes))});
  }
  default: return unsupported(fmt::format("kind {} is unknown to this version", stored.kind()));
  }
}

Result<Node> Reader::node(const fb::Node &stored, std::uint32_t user) {
  Node found;
  if (stored.op() >= length(file_.operators()))
    return bad_input(fmt::format("operator {} of {}", stored.op(), length(file_.operators())));
  const fb::Operator *op = file_.operators()->Get(stored.op());
  EDGEC_CHECK(spend(sizeof(Node)));
  EDGEC_ASSIGN(found.domain, text(op->domain()));
  EDGEC_ASSIGN(found.op, text(op->name()));
  EDGEC_ASSIGN(found.overload, text(op->overload()));
  EDGEC_ASSIGN(found.name, text(stored.name()));
  EDGEC_ASSIGN(found.origins, texts(stored.origins()));
  EDGEC_ASSIGN(found.metadata, metadata(stored.metadata()));
  EDGEC_ASSIGN(found.doc, text(stored.doc()));
  for (const auto &[from, to] : {std::pair{stored.inputs(), &found.inputs},
                                 {stored.captures(), &found.captures},
                                 {stored.outputs(), &found.outputs}}) {
    EDGEC_CHECK(spend(length(from) * sizeof(ValueId)));
    for (std::size_t i = 0; i < length(from); ++i) to->push_back({from->Get(static_cast<unsigned>(i))});
  }
  std::size_t captured = 0;
  for (std::size_t i = 0; i < length(stored.attributes()); ++i) {
    const fb::Attribute *each = stored.attributes()->Get(static_cast<unsigned>(i));
    EDGEC_CHECK(spend(sizeof(Attribute)));
    Attribute made;
    EDGEC_ASSIGN(made.name, text(each->name()));
    if (found.attribute(made.name) != nullptr) return bad_input(fmt::format("attribute {} occurs twice", made.name));
    EDGEC_ASSIGN(made.value, attribute(*each, user).in("attribute " + made.name));
    if (const auto *graph = std::get_if<SubGraph>(&made.value)) captured += (*graph)->captures().size();
    if (const auto *list = std::get_if<std::vector<SubGraph>>(&made.value))
      for (const SubGraph &graph : *list) captured += graph->captures().size();
    found.attributes.push_back(std::move(made));
  }
  if (captured != found.captures.size())
    return bad_input(fmt::format("its sub-graphs capture {} values, it gives {}", captured, found.captures.size()));
  return found;
}

Status Reader::add_value(Graph &graph, const fb::Value &stored, std::size_t place, std::size_t inputs,
                         std::size_t captures) {
  EDGEC_CHECK(spend(sizeof(Value)));
  EDGEC_ASSIGN(Type type, copy_type(stored.type()));
  EDGEC_ASSIGN(std::string name, text(stored.name()));
  EDGEC_ASSIGN(Metadata pairs, metadata(stored.metadata()));
  EDGEC_ASSIGN(std::string doc, text(stored.doc()));
  ValueId id;
  if (stored.tensor() != none) {
    if (place < inputs + captures) return bad_input("an input or capture has constant data");
    EDGEC_ASSIGN(Tensor data, copy_tensor(stored.tensor()));
    if (type.dtype != data.dtype || type.concrete() != data.dims)
      return bad_input(fmt::format("its type is {}, its data {}", to_string(type), to_string(Type::of(data))));
    id = graph.add_constant(std::move(data), std::move(name), std::move(type.quant));
  } else if (place < inputs) {
    id = graph.add_input(std::move(name), std::move(type));
  } else if (place < inputs + captures) {
    id = graph.add_capture(std::move(name), std::move(type));
  } else {
    id = graph.add_value(std::move(type), std::move(name));
  }
  assert(id.index == place);
  graph.set_metadata(id, std::move(pairs), std::move(doc));
  return {};
}

Status Reader::add_nodes(Graph &graph, const fb::Graph &stored, std::uint32_t index) {
  std::vector<char> given(graph.value_bound());
  for (const ValueId id : graph.values())
    given[id.index] = id.index < stored.inputs() + stored.captures() || graph.constant(id) != nullptr ? 1 : 0;
  for (std::size_t i = 0; i < length(stored.nodes()); ++i) { // in topological order
    const auto where = [&] { return fmt::format("node {}", i); };
    EDGEC_ASSIGN(Node made, node(*stored.nodes()->Get(static_cast<unsigned>(i)), index).in(where()));
    for (const auto *list : {&made.inputs, &made.captures})
      for (const ValueId id : *list)
        if (id.valid() && (id.index >= given.size() || given[id.index] == 0))
          return bad_input(fmt::format("it reads value {}, which nothing before it gives", id.index)).in(where());
    if (std::ranges::find(made.captures, ValueId{}) != made.captures.end())
      return bad_input("it captures an omitted value").in(where());
    for (const ValueId id : made.outputs) {
      if (!id.valid()) continue;
      if (id.index >= given.size()) return bad_input(fmt::format("value {} of {}", id.index, given.size())).in(where());
      if (given[id.index] != 0)
        return bad_input(fmt::format("its output {} has a source already", id.index)).in(where());
      given[id.index] = 1;
    }
    graph.add_node(std::move(made));
  }
  const auto sourceless = std::ranges::find(given, 0);
  if (sourceless != given.end()) return bad_input(fmt::format("nothing gives value {}", sourceless - given.begin()));
  for (std::size_t i = 0; i < length(stored.outputs()); ++i) {
    const fb::Output *out = stored.outputs()->Get(static_cast<unsigned>(i));
    EDGEC_CHECK(spend(sizeof(GraphOutput)));
    EDGEC_ASSIGN(std::string name, text(out->name()));
    if (out->value() >= given.size())
      return bad_input(fmt::format("output {} is value {} of {}", name, out->value(), given.size()));
    graph.add_output({out->value()}, std::move(name));
  }
  return {};
}

Result<Graph> Reader::graph(const fb::Graph &stored, std::uint32_t index) {
  Graph found;
  EDGEC_ASSIGN(found.name, text(stored.name()));
  EDGEC_ASSIGN(found.doc, text(stored.doc()));
  EDGEC_ASSIGN(found.metadata, metadata(stored.metadata()));
  for (std::size_t i = 0; i < length(stored.opsets()); ++i) {
    const fb::Opset *opset = stored.opsets()->Get(static_cast<unsigned>(i));
    EDGEC_ASSIGN(std::string domain, text(opset->domain()));
    if (!found.opsets.emplace(domain, opset->version()).second)
      return bad_input(fmt::format("operator set \"{}\" occurs twice", domain));
  }
  const std::size_t inputs = stored.inputs();
  const std::size_t captures = stored.captures();
  if (inputs + captures > length(stored.values()))
    return bad_input(
        fmt::format("{} inputs and {} captures among {} values", inputs, captures, length(stored.values())));
  for (std::size_t i = 0; i < length(stored.values()); ++i)
    EDGEC_CHECK(add_value(found, *stored.values()->Get(static_cast<unsigned>(i)), i, inputs, captures)
                    .in(fmt::format("value {}", i)));
  std::set<std::string_view> names;
  for (const ValueId id : found.inputs())
    if (!names.insert(found.value(id).name).second)
      return bad_input(fmt::format("two inputs are named \"{}\"", found.value(id).name));
  EDGEC_CHECK(add_nodes(found, stored, index));
  return found;
}

Result<Model> Reader::read() {
  Model model;
  model.ir_version = file_.ir_version();
  model.model_version = file_.model_version();
  EDGEC_ASSIGN(model.producer_name, text(file_.producer_name()));
  EDGEC_ASSIGN(model.producer_version, text(file_.producer_version()));
  EDGEC_ASSIGN(model.domain, text(file_.domain()));
  EDGEC_ASSIGN(model.doc, text(file_.doc()));
  EDGEC_ASSIGN(model.metadata, metadata(file_.metadata()));
  EDGEC_ASSIGN(symbols_, texts(file_.symbols()));
  for (std::size_t i = 0; i < length(file_.tensors()); ++i) {
    EDGEC_ASSIGN(Tensor made, tensor(*file_.tensors()->Get(static_cast<unsigned>(i))).in(fmt::format("tensor {}", i)));
    tensors_.push_back(std::move(made));
  }
  for (std::size_t i = 0; i < length(file_.types()); ++i) {
    EDGEC_ASSIGN(Type made, type(*file_.types()->Get(static_cast<unsigned>(i))).in(fmt::format("type {}", i)));
    types_.push_back(std::move(made));
  }
  const auto count = static_cast<std::uint32_t>(length(file_.graphs()));
  if (count == 0) return bad_input("it holds no graph");
  graphs_.resize(count);
  height_.resize(count);
  for (std::uint32_t i = count; i-- > 0;) { // a sub-graph stands behind the graph that uses it
    EDGEC_ASSIGN(Graph made, graph(*file_.graphs()->Get(i), i).in(fmt::format("graph {}", i)));
    if (i == 0)
      model.graph = std::move(made);
    else
      graphs_[i] = std::make_shared<const Graph>(std::move(made));
  }
  for (std::uint32_t i = 1; i < count; ++i)
    if (graphs_[i]) return bad_input(fmt::format("sub-graph {} is not used", i));
  return model;
}

} // namespace

Result<Model> read_graph_section(ByteView bytes, const SectionLoader &load) {
  if (bytes.size() > max_section_bytes)
    return unsupported(fmt::format("{} bytes reach FlatBuffers' limit of 2 GiB", bytes.size()));
  constexpr flatbuffers::uoffset_t depth = 16;
  const auto max_tables = static_cast<flatbuffers::uoffset_t>(bytes.size() / 4 + 1);
  flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size(), depth, max_tables);
  if (!fb::VerifyModelBuffer(verifier)) return bad_input("it is not a well-formed FlatBuffer of this format");
  return Reader(*fb::GetModel(bytes.data()), bytes.size(), load).read();
}

} // namespace edgec::flat
