#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <optional>

#include "ir/text.h"
#include "ir/text_elements.h"
#include "ir/text_values.h"

namespace edgec {
namespace {

/// A graph being read, inside the one around it.
struct Scope {
  Graph &graph;
  Scope *outer;
  int depth;
  std::map<std::string, ValueId, std::less<>> names{};
  std::map<std::string, Type, std::less<>> declared{}; // types of values that nodes will define
  std::vector<ValueId> captured{};                     // what each capture is in the graph around

  /// The value of that name, captured from outside if need be; none where there is no such name.
  ValueId find(const std::string &name) {
    if (const auto found = names.find(name); found != names.end()) return found->second;
    const ValueId outside = outer ? outer->find(name) : ValueId{};
    if (!outside.valid()) return {};
    captured.push_back(outside);
    return names[name] = graph.add_capture(name, outer->graph.value(outside).type);
  }
};

class Parser {
public:
  explicit Parser(std::string_view text) : scan_(text) {}

  Status model(Model &model) {
    if (scan_.accept("<")) EDGEC_CHECK(header(model));
    Scope scope{model.graph, nullptr, 0};
    EDGEC_CHECK(graph(scope));
    if (!scan_.at_end()) return scan_.expected("the end of the text");
    return {};
  }

private:
  Scanner scan_;

  Status header(Model &model) {
    do {
      const std::string key(scan_.identifier());
      EDGEC_CHECK(scan_.expect(":"));
      if (key == "ir_version") {
        EDGEC_ASSIGN(model.ir_version, scan_.integer());
      } else if (key == "model_version") {
        EDGEC_ASSIGN(model.model_version, scan_.integer());
      } else if (key == "opset_import") {
        EDGEC_CHECK(opsets(model.graph.opsets));
      } else if (key == "metadata_props") {
        EDGEC_CHECK(metadata(model.metadata));
      } else {
        std::string *text = key == "producer_name"      ? &model.producer_name
                            : key == "producer_version" ? &model.producer_version
                            : key == "domain"           ? &model.domain
                            : key == "doc_string"       ? &model.doc
                                                        : nullptr;
        if (!text) return scan_.error(fmt::format("`{}` is not a property of a model", key));
        EDGEC_ASSIGN(*text, scan_.quoted());
      }
    } while (scan_.accept(","));
    return scan_.expect(">");
  }

  Status opsets(Opsets &opsets) {
    EDGEC_CHECK(scan_.expect("["));
    if (scan_.accept("]")) return {};
    do {
      EDGEC_ASSIGN(std::string domain, scan_.quoted());
      EDGEC_CHECK(scan_.expect(":"));
      EDGEC_ASSIGN(const std::int64_t version, scan_.integer());
      opsets[domain == "ai.onnx" ? "" : domain] = version;
    } while (scan_.accept(","));
    return scan_.expect("]");
  }

  Status metadata(Metadata &pairs) {
    EDGEC_CHECK(scan_.expect("["));
    if (scan_.accept("]")) return {};
    do {
      EDGEC_ASSIGN(std::string key, scan_.quoted());
      EDGEC_CHECK(scan_.expect(":"));
      EDGEC_ASSIGN(std::string value, scan_.quoted());
      pairs.emplace_back(std::move(key), std::move(value));
    } while (scan_.accept(","));
    return scan_.expect("]");
  }

  Status graph(Scope &scope) {
    if (scope.depth > max_text_depth) return scan_.error(fmt::format("graphs nest deeper than {}", max_text_depth));
    EDGEC_ASSIGN(scope.graph.name, scan_.name("a graph's name"));
    return body(scope);
  }

  /// A graph behind its name.
  Status body(Scope &scope) {
    EDGEC_CHECK(
        values("(", ")", [&](Type type, std::string name) { return input(scope, std::move(type), std::move(name)); }));
    EDGEC_CHECK(scan_.expect("=>"));
    struct Output {
      Type type;
      std::string name, value;
      Scanner place;
    };
    std::vector<Output> outputs;
    EDGEC_CHECK(values("(", ")", [&](Type type, std::string name) -> Status {
      Output out{std::move(type), name, name, scan_};
      if (scan_.accept("=")) {
        EDGEC_ASSIGN(out.value, scan_.name("a value's name"));
      } else {
        scope.declared[out.name] = out.type;
      }
      outputs.push_back(std::move(out));
      return {};
    }));
    if (scan_.peek() == '<')
      EDGEC_CHECK(values(
          "<", ">", [&](Type type, std::string name) { return declaration(scope, std::move(type), std::move(name)); }));
    EDGEC_CHECK(scan_.expect("{"));
    while (!scan_.accept("}")) EDGEC_CHECK(node(scope));
    for (Output &out : outputs) {
      const ValueId id = scope.find(out.value);
      if (!id.valid()) return out.place.error(fmt::format("graph output `{}` is not computed", out.value));
      if (scope.graph.value(id).type == Type{}) scope.graph.set_type(id, out.type);
      scope.graph.add_output(id, std::move(out.name));
    }
    return {};
  }

  /// `open type name ... , type name ... close`; `each` reads on behind the name.
  template <class Each>
  Status values(std::string_view open, std::string_view close, Each &&each) {
    EDGEC_CHECK(scan_.expect(open));
    if (scan_.accept(close)) return {};
    do {
      EDGEC_ASSIGN(Type type, read_type(scan_, true));
      EDGEC_ASSIGN(std::string name, scan_.name("a value's name"));
      EDGEC_CHECK(each(std::move(type), std::move(name)));
    } while (scan_.accept(","));
    return scan_.expect(close);
  }

  Status fresh(const Scope &scope, const std::string &name) {
    if (scope.names.contains(name)) return scan_.error(fmt::format("`{}` is defined twice", name));
    return {};
  }

  Status input(Scope &scope, Type type, std::string name) {
    EDGEC_CHECK(fresh(scope, name));
    if (scan_.peek() == '=') return declaration(scope, std::move(type), std::move(name));
    scope.names[name] = scope.graph.add_input(name, std::move(type));
    return {};
  }

  /// A constant with its data, or the type of a value that some node defines.
  Status declaration(Scope &scope, Type type, std::string name) {
    EDGEC_CHECK(fresh(scope, name));
    if (!scan_.accept("=")) {
      scope.declared[name] = std::move(type);
      return {};
    }
    EDGEC_ASSIGN(Tensor data, read_tensor_data(scan_, type));
    scope.names[name] = scope.graph.add_constant(std::move(data), name, std::move(type.quant));
    return {};
  }

  Status node(Scope &scope) {
    Node made;
    if (scan_.accept("[")) EDGEC_CHECK(label(made));
    std::vector<std::string> outputs;
    EDGEC_CHECK(names("=", [&](std::string name) -> Status {
      outputs.push_back(std::move(name));
      return {};
    }));
    EDGEC_CHECK(op(made));
    if (scan_.peek() == '<') EDGEC_CHECK(attributes(scope, made));
    EDGEC_CHECK(scan_.expect("("));
    EDGEC_CHECK(names(")", [&](const std::string &name) -> Status {
      made.inputs.push_back(name.empty() ? ValueId{} : scope.find(name));
      if (name.empty() || made.inputs.back().valid()) return {};
      return scan_.error(fmt::format("`{}` is not defined before this node", name));
    }));
    if (made.attributes.empty() && scan_.peek() == '<') EDGEC_CHECK(attributes(scope, made));
    for (const std::string &name : outputs) {
      if (!name.empty()) EDGEC_CHECK(fresh(scope, name));
      const auto declared = scope.declared.find(name);
      Type type = declared == scope.declared.end() ? Type{} : declared->second;
      made.outputs.push_back(name.empty() ? ValueId{} : scope.graph.add_value(std::move(type), name));
      if (!name.empty()) scope.names[name] = made.outputs.back();
    }
    scope.graph.add_node(std::move(made));
    return {};
  }

  /// Behind `[`: the name, then origins that are not just the name.
  Status label(Node &made) {
    if (scan_.peek() != '|') {
      EDGEC_ASSIGN(made.name, scan_.name("a node's name"));
      if (scan_.peek() != '|') made.origins = {made.name};
    }
    if (scan_.accept("|") && scan_.peek() != ']') {
      do {
        EDGEC_ASSIGN(std::string origin, scan_.name("an origin"));
        made.origins.push_back(std::move(origin));
      } while (scan_.accept("|"));
    }
    return scan_.expect("]");
  }

  /// Names, some perhaps left out, up to `end`.
  template <class Each>
  Status names(std::string_view end, Each &&each) {
    if (scan_.accept(end)) return {};
    do {
      const bool omitted = scan_.peek() == ',';
      EDGEC_ASSIGN(std::string name, omitted ? Result<std::string>(std::string()) : scan_.name("a value's name"));
      EDGEC_CHECK(each(std::move(name)));
    } while (scan_.accept(",") && !scan_.at(end));
    return scan_.expect(end);
  }

  Status op(Node &made) {
    EDGEC_ASSIGN(made.op, scan_.name("an operator"));
    while (scan_.accept(".")) {
      made.domain += (made.domain.empty() ? "" : ".") + made.op;
      EDGEC_ASSIGN(made.op, scan_.name("an operator"));
    }
    if (made.domain == "ai.onnx") made.domain.clear();
    if (!scan_.accept(":")) return {};
    EDGEC_ASSIGN(made.overload, scan_.name("an overload"));
    return {};
  }

  Status attributes(Scope &scope, Node &made) {
    EDGEC_CHECK(scan_.expect("<"));
    do {
      EDGEC_ASSIGN(std::string name, scan_.name("an attribute's name"));
      std::string kind;
      if (scan_.accept(":")) kind = scan_.identifier();
      EDGEC_CHECK(scan_.expect("="));
      if (made.attribute(name)) return scan_.error(fmt::format("attribute `{}` is given twice", name));
      EDGEC_ASSIGN(AttributeValue value, scan_.peek() == '[' ? list(scope, made, kind) : single(scope, made, kind));
      made.attributes.push_back({std::move(name), std::move(value)});
    } while (scan_.accept(","));
    return scan_.expect(">");
  }

  /// The kinds of attributes in the order of AttributeValue.
  static constexpr std::string_view kinds[] = {"int",        "float",       "string", "tensor",  "graph",
                                               "type_proto", "ints",        "floats", "strings", "tensors",
                                               "graphs",     "type_protos", "opaque"};

  Result<AttributeValue> list(Scope &scope, Node &made, std::string_view kind) {
    EDGEC_CHECK(scan_.expect("["));
    const auto known = static_cast<std::size_t>(std::ranges::find(kinds, kind) - kinds);
    if (!kind.empty() && (known < 6 || known > 11)) return scan_.error(fmt::format("`{}` is not a kind of list", kind));
    std::vector<AttributeValue> items;
    if (scan_.peek() != ']') {
      const std::string_view item_kind = kind.empty() ? kind : kinds[known - 6];
      do {
        EDGEC_ASSIGN(AttributeValue item, single(scope, made, item_kind));
        if (!items.empty() && item.index() != items.front().index())
          return scan_.error("a list holds values of two kinds");
        items.push_back(std::move(item));
      } while (scan_.accept(","));
    } else if (kind.empty()) {
      return scan_.error("an empty list needs its kind, as in `name: ints = []`");
    }
    EDGEC_CHECK(scan_.expect("]"));
    switch (items.empty() ? known - 6 : items.front().index()) {
    case 0: return gather<std::int64_t>(items);
    case 1: return gather<float>(items);
    case 2: return gather<std::string>(items);
    case 3: return gather<Tensor>(items);
    case 4: return gather<SubGraph>(items);
    default: return gather<Type>(items);
    }
  }

  template <class T>
  static AttributeValue gather(std::vector<AttributeValue> &items) {
    std::vector<T> out;
    for (AttributeValue &item : items) out.push_back(std::move(*std::get_if<T>(&item)));
    return out;
  }

  Result<AttributeValue> single(Scope &scope, Node &made, std::string_view kind) {
    if (!kind.empty() && std::ranges::find(kinds, kind) == std::end(kinds))
      return scan_.error(fmt::format("`{}` is not a kind of attribute", kind));
    EDGEC_ASSIGN(AttributeValue value, any(scope, made, kind));
    if (!kind.empty() && kinds[value.index()] != kind)
      return scan_.error(fmt::format("expected a value of kind {}, found {}", kind, kinds[value.index()]));
    return value;
  }

  Result<AttributeValue> any(Scope &scope, Node &made, std::string_view kind) {
    const char next = scan_.peek();
    const std::string_view word = scan_.peek_identifier();
    if (kind == "opaque") return opaque();
    if (next == '@') return scan_.error("references to a function's attributes are not supported");
    if (next == '<') return subgraph(scope, made);
    if (next == '"') {
      EDGEC_ASSIGN(std::string text, scan_.quoted());
      if (scan_.peek() == '(') return subgraph(scope, made, text);
      return AttributeValue(std::move(text));
    }
    if (at_type(scan_)) {
      EDGEC_ASSIGN(Type type, read_type(scan_, false));
      if (scan_.peek() != '{' && scan_.peek() != '=' && scan_.peek_identifier().empty())
        return AttributeValue(std::move(type));
      scan_.identifier(); // a tensor's name says nothing here
      scan_.accept("=");
      EDGEC_ASSIGN(Tensor data, read_tensor_data(scan_, type));
      return AttributeValue(std::move(data));
    }
    if (!word.empty() && word != "inf" && word != "infinity" && word != "nan") return subgraph(scope, made);
    Scanner ahead = scan_;
    EDGEC_ASSIGN(const std::string_view number, ahead.number());
    if (kind != "float" && !is_real_literal(number)) {
      EDGEC_ASSIGN(const std::int64_t value, scan_.integer());
      return AttributeValue(value);
    }
    EDGEC_ASSIGN(const float value, scan_.real32());
    return AttributeValue(value);
  }

  Result<AttributeValue> opaque() {
    EDGEC_ASSIGN(const std::string hex, scan_.quoted());
    const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
    if (hex.size() % 2 != 0 || std::ranges::any_of(hex, [&](char c) { return digit(c) < 0; }))
      return scan_.error("expected bytes as pairs of hexadecimal digits");
    OpaqueAttribute out;
    for (std::size_t i = 0; i < hex.size(); i += 2)
      out.bytes += static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1]));
    return AttributeValue(std::move(out));
  }

  /// A graph inside a node, which takes over what it captures; `name`: already read.
  Result<AttributeValue> subgraph(Scope &outer, Node &made, std::optional<std::string> name = {}) {
    Model inner;
    inner.graph.opsets = outer.graph.opsets;
    if (scan_.accept("<")) EDGEC_CHECK(header(inner));
    Scope scope{inner.graph, &outer, outer.depth + 1};
    if (name) {
      inner.graph.name = *name;
      if (scope.depth > max_text_depth) return scan_.error(fmt::format("graphs nest deeper than {}", max_text_depth));
      EDGEC_CHECK(body(scope));
    } else {
      EDGEC_CHECK(graph(scope));
    }
    made.captures.insert(made.captures.end(), scope.captured.begin(), scope.captured.end());
    return AttributeValue(std::make_shared<const Graph>(std::move(inner.graph)));
  }
};

} // namespace

Result<Model> parse_model(std::string_view text) {
  Model model;
  EDGEC_CHECK(Parser(text).model(model));
  return model;
}

Result<Graph> parse_graph(std::string_view text) {
  EDGEC_ASSIGN(Model model, parse_model(text));
  return std::move(model.graph);
}

Result<Type> parse_type(std::string_view text) {
  Scanner scanner(text);
  EDGEC_ASSIGN(Type type, read_type(scanner, true));
  if (!scanner.at_end()) return scanner.expected("the end of the text");
  return type;
}

} // namespace edgec
