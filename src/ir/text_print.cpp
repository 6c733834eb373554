#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>
#include <type_traits>

#include "ir/text.h"
#include "ir/text_elements.h"
#include "support/file.h"

namespace edgec {
namespace {

constexpr std::int64_t hashed_above = 16;

bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

/// Words that an attribute value or a header would take for something else.
bool is_reserved(std::string_view name) {
  constexpr std::string_view words[] = {"seq",       "map", "optional", "sparse_tensor",
                                        "undefined", "inf", "infinity", "nan"};
  return parse_dtype(name).has_value() || std::ranges::find(words, name) != std::end(words);
}

/// The names of a graph's values: unique in it and in the graphs around it.
class Names {
public:
  Names(const Graph &graph, const Names *outer) : outer_(outer) {
    for (const ValueId id : graph.inputs()) give(id, graph.value(id).name);
    for (const GraphOutput &out : graph.outputs())
      if (graph.producer(out.value) && !names_.contains(out.value)) give(out.value, out.name);
    for (const ValueId id : graph.values())
      if (!names_.contains(id) && !graph.value(id).name.empty() && !is_capture(graph, id))
        give(id, graph.value(id).name);
    for (const ValueId id : graph.values())
      if (!names_.contains(id) && !is_capture(graph, id)) give(id, fmt::format("t{}", free_++));
  }
  void set(ValueId id, const std::string &name) { names_[id] = name; }
  [[nodiscard]] std::string operator()(ValueId id) const {
    const auto found = names_.find(id);
    return found == names_.end() ? std::string() : found->second;
  }

private:
  const Names *outer_;
  std::map<ValueId, std::string> names_;
  std::set<std::string, std::less<>> taken_;
  std::size_t free_ = 0;

  static bool is_capture(const Graph &graph, ValueId id) {
    return std::ranges::find(graph.captures(), id) != graph.captures().end();
  }
  [[nodiscard]] bool taken(const std::string &name) const {
    return taken_.contains(name) || (outer_ && outer_->taken(name));
  }
  void give(ValueId id, const std::string &wanted) {
    std::string name = wanted.empty() ? fmt::format("t{}", free_++) : wanted;
    for (int suffix = 1; taken(name); ++suffix) name = fmt::format("{}_{}", wanted.empty() ? "t" : wanted, suffix);
    taken_.insert(name);
    names_[id] = std::move(name);
  }
};

template <class Range, class F>
std::string join(const Range &range, std::string_view separator, F &&text) {
  std::string out;
  for (const auto &item : range) {
    if (!out.empty()) out += separator;
    out += text(item);
  }
  return out;
}

std::string attribute_float(float value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

std::string elements(const Tensor &tensor) {
  const auto plain = [](const auto &value) { return fmt::format("{}", value); };
  switch (tensor.dtype) {
  case DType::undefined: return "";
  case DType::string: return tensor.strings ? join(*tensor.strings, ", ", quoted_text) : "";
  case DType::float32: return join(tensor.as<float>(), ", ", plain);
  case DType::float64: return join(tensor.as<double>(), ", ", plain);
  case DType::uint64: return join(tensor.as<std::uint64_t>(), ", ", plain);
  case DType::complex64:
  case DType::complex128: {
    const DType part = tensor.dtype == DType::complex64 ? DType::float32 : DType::float64;
    return elements({part, {tensor.size() * 2}, tensor.data, nullptr});
  }
  default: return join(to_int64s({written_as(tensor.dtype), tensor.dims, tensor.data, nullptr}), ", ", plain);
  }
}

std::string hash(const Tensor &tensor) {
  std::string strings;
  if (tensor.strings)
    for (const std::string &text : *tensor.strings) strings += quoted_text(text);
  return sha256(tensor.strings ? std::as_bytes(std::span(strings)) : tensor.data.bytes()).substr(0, 16);
}

template <class T>
std::string_view list_name() {
  if constexpr (std::is_same_v<T, std::int64_t>)
    return "ints";
  else if constexpr (std::is_same_v<T, float>)
    return "floats";
  else if constexpr (std::is_same_v<T, std::string>)
    return "strings";
  else if constexpr (std::is_same_v<T, Tensor>)
    return "tensors";
  else if constexpr (std::is_same_v<T, Type>)
    return "type_protos";
  else
    return "graphs";
}

class Printer {
public:
  Printer(const TextOptions &options) : options_(options) {}

  std::string graph(const Graph &graph, const std::string &indent, Names &names, int depth) {
    const auto input = [&](ValueId id) { return typed(graph.value(id).type, names(id)); };
    const auto output = [&](const GraphOutput &out) {
      const std::string name = names(out.value);
      return typed(graph.value(out.value).type, out.name) + (name == out.name ? "" : " = " + name_text(name));
    };
    std::string out = is_reserved(graph.name) ? quoted_text(graph.name) : name_text(graph.name);
    out += " (" + join(graph.inputs(), ", ", input) + ") => (" + join(graph.outputs(), ", ", output) + ")";
    const auto declared = declarations(graph, names);
    if (declared.empty())
      out += " {\n";
    else
      out += fmt::format("\n{0}  <{1}>\n{0}{{\n", indent, join(declared, ",\n" + indent + "   ", std::identity{}));
    for (const NodeId id : graph.nodes())
      out += indent + "  " + node(graph, graph.node(id), indent, names, depth) + "\n";
    return out + indent + "}";
  }

private:
  const TextOptions &options_;

  static std::string typed(const Type &type, const std::string &name) {
    return to_string(type) + " " + name_text(name);
  }

  std::string tensor_data(const Tensor &tensor) const {
    const auto count = tensor.strings ? static_cast<std::int64_t>(tensor.strings->size()) : tensor.size();
    if (options_.hash_tensors && count > hashed_above) return "\"" + hash(tensor) + "\"";
    return "{" + elements(tensor) + "}";
  }

  /// Constants with their data, inner values with their types.
  std::vector<std::string> declarations(const Graph &graph, const Names &names) const {
    std::vector<std::string> constants, inner;
    for (const ValueId id : graph.values()) {
      const Value &value = graph.value(id);
      if (value.data) constants.push_back(typed(value.type, names(id)) + " = " + tensor_data(*value.data));
      if (!value.producer.valid() || graph.is_output(id) || value.type == Type{}) continue;
      if (!options_.only_quantized_types || value.type.is_quantized()) inner.push_back(typed(value.type, names(id)));
    }
    constants.insert(constants.end(), inner.begin(), inner.end());
    return constants;
  }

  std::string node(const Graph &graph, const Node &node, const std::string &indent, const Names &names, int depth) {
    const auto name = [&](ValueId id) { return name_text(id.valid() ? names(id) : std::string()); };
    const bool nested = std::ranges::any_of(node.attributes, [](const Attribute &a) {
      return std::holds_alternative<SubGraph>(a.value) || std::holds_alternative<std::vector<SubGraph>>(a.value);
    });
    std::size_t captured = 0;
    const auto attribute = [&](const Attribute &a) {
      return name_text(a.name) + value(graph, node, a.value, indent, names, captured, depth);
    };
    std::string attributes = join(node.attributes, ", ", attribute);
    if (!attributes.empty()) attributes = "<" + attributes + ">";
    const std::string inputs = "(" + join(node.inputs, ", ", name) + ")";
    return label(node) + join(node.outputs, ", ", name) + (node.outputs.empty() ? "= " : " = ") + op(node) +
           (nested ? inputs + " " + attributes : attributes + inputs);
  }

  static std::string label(const Node &node) {
    const bool plain = node.name.empty() ? node.origins.empty() : node.origins == std::vector{node.name};
    if (plain) return node.name.empty() ? "" : "[" + name_text(node.name) + "] ";
    std::string out = "[" + (node.name.empty() ? "" : name_text(node.name) + " ") + "|";
    for (const std::string &origin : node.origins) out += (out.ends_with('|') ? " " : " | ") + name_text(origin);
    return out + "] ";
  }

  static std::string op(const Node &node) {
    std::string domain;
    for (std::size_t from = 0; from < node.domain.size();) {
      const std::size_t dot = std::min(node.domain.find('.', from), node.domain.size());
      domain += name_text(node.domain.substr(from, dot - from)) + ".";
      from = dot + 1;
    }
    if (node.domain.ends_with('.')) domain = quoted_text(node.domain) + ".";
    return domain + name_text(node.op) + (node.overload.empty() ? "" : ":" + name_text(node.overload));
  }

  /// " = value", with ": type" before it where the value does not say its own. `captured` counts on through the
  /// captures of the node's sub-graphs.
  std::string value(const Graph &graph, const Node &node, const AttributeValue &attribute, const std::string &indent,
                    const Names &names, std::size_t &captured, int depth) {
    const auto one = [&]<class T>(const T &item) -> std::string {
      if constexpr (std::is_same_v<T, std::int64_t>)
        return fmt::format("{}", item);
      else if constexpr (std::is_same_v<T, float>)
        return attribute_float(item);
      else if constexpr (std::is_same_v<T, std::string>)
        return quoted_text(item);
      else if constexpr (std::is_same_v<T, Tensor>)
        return to_string(Type::of(item)) + " " + tensor_data(item);
      else if constexpr (std::is_same_v<T, Type>)
        return to_string(item);
      else
        return subgraph(graph, node, *item, indent, names, captured, depth);
    };
    return std::visit(
        [&]<class T>(const T &item) -> std::string {
          if constexpr (std::is_same_v<T, OpaqueAttribute>) {
            std::string hex;
            for (const char c : item.bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
            return ": opaque = \"" + hex + "\"";
          } else if constexpr (requires { typename T::value_type; } && !std::is_same_v<T, std::string>) {
            if (item.empty()) return fmt::format(": {} = []", list_name<typename T::value_type>());
            return " = [" + join(item, ", ", one) + "]";
          } else {
            return " = " + one(item);
          }
        },
        attribute);
  }

  std::string subgraph(const Graph &outer, const Node &node, const Graph &inner, const std::string &indent,
                       const Names &names, std::size_t &captured, int depth) {
    if (depth >= max_text_depth) return "\"nested too deep\"";
    Names inner_names(inner, &names);
    for (const ValueId capture : inner.captures())
      if (captured < node.captures.size()) inner_names.set(capture, names(node.captures[captured++]));
    const bool same_opsets = inner.opsets.empty() || inner.opsets == outer.opsets;
    return (same_opsets ? "" : header(inner.opsets) + " ") + graph(inner, indent + "    ", inner_names, depth + 1);
  }

public:
  static std::string opset_import(const Opsets &opsets) {
    const auto entry = [](const auto &pair) { return fmt::format("{} : {}", quoted_text(pair.first), pair.second); };
    return "opset_import: [" + join(opsets, ", ", entry) + "]";
  }
  static std::string header(const Opsets &opsets) { return "<" + opset_import(opsets) + ">"; }
};

} // namespace

std::string quoted_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string name_text(std::string_view name) { return is_identifier(name) ? std::string(name) : quoted_text(name); }

std::string to_text(const Graph &graph, const TextOptions &options) {
  Names names(graph, nullptr);
  const std::string header = graph.opsets.empty() ? "" : Printer::header(graph.opsets) + "\n";
  return header + Printer(options).graph(graph, "", names, 0) + "\n";
}

std::string to_text(const Model &model, const TextOptions &options) {
  std::string out =
      fmt::format("<\n  ir_version: {},\n  {}", model.ir_version, Printer::opset_import(model.graph.opsets));
  const auto add = [&](std::string_view key, const std::string &value) {
    if (!value.empty()) out += fmt::format(",\n  {}: {}", key, quoted_text(value));
  };
  add("producer_name", model.producer_name);
  add("producer_version", model.producer_version);
  add("domain", model.domain);
  if (model.model_version != 0) out += fmt::format(",\n  model_version: {}", model.model_version);
  add("doc_string", model.doc);
  const auto entry = [](const auto &pair) { return quoted_text(pair.first) + ": " + quoted_text(pair.second); };
  if (!model.metadata.empty()) out += ",\n  metadata_props: [" + join(model.metadata, ", ", entry) + "]";
  Names names(model.graph, nullptr);
  return out + "\n>\n" + Printer(options).graph(model.graph, "", names, 0) + "\n";
}

} // namespace edgec
