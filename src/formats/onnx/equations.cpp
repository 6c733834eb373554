// Equations of Einsum that ONNX 1.23 does not survive: its shape inference never comes back from a character that may
// not stand there, so they are looked at before the checker, the inliner or the converter sees the model.
#include <algorithm>
#include <fmt/format.h>
#include <set>

#include "formats/onnx/prepare.h"

namespace edgec::proto {
namespace {

/// Letters, blanks, commas, one "->" and one "..." a term (ONNX Einsum-12).
bool is_equation(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  std::string dense(text);
  std::erase(dense, ' ');
  text = dense;
  bool arrow = false, dots = false;
  while (!text.empty()) {
    std::size_t length = 1;
    if (text.starts_with("->") && !arrow) {
      arrow = true;
      dots = false;
      length = 2;
    } else if (text.starts_with("...") && !dots) {
      dots = true;
      length = 3;
    } else if (text[0] == ',' && !arrow) {
      dots = false;
    } else if (!letter(text[0])) {
      return false;
    }
    text.remove_prefix(length);
  }
  return true;
}

/// Attributes hand equations on: an Einsum in a function may name an attribute of the call as its own.
class Equations {
public:
  std::set<std::string> names; // attributes of calls that are equations

  /// Whether a name was found.
  template <class Nodes>
  bool find_names(const Nodes &nodes) {
    bool found = false;
    for (const auto &node : nodes)
      for (const auto &attribute : node.attribute()) {
        if (!attribute.ref_attr_name().empty() && is_one(node, attribute))
          found = names.insert(attribute.ref_attr_name()).second || found;
        if (attribute.has_g()) found = find_names(attribute.g().node()) || found;
        for (const auto &graph : attribute.graphs()) found = find_names(graph.node()) || found;
      }
    return found;
  }

  template <class Nodes>
  Status check(const Nodes &nodes) const {
    for (const auto &node : nodes)
      for (const auto &attribute : node.attribute()) {
        if (attribute.has_s() && is_one(node, attribute)) EDGEC_CHECK(check(attribute, node.op_type()));
        if (attribute.has_g()) EDGEC_CHECK(check(attribute.g().node()));
        for (const auto &graph : attribute.graphs()) EDGEC_CHECK(check(graph.node()));
      }
    return {};
  }

  static Status check(const onnx::AttributeProto &attribute, const std::string &where) {
    if (is_equation(attribute.s())) return {};
    return bad_input(fmt::format("{}: \"{}\" is not an equation: letters, commas, \"...\" and \"->\" make one", where,
                                 attribute.s().substr(0, 100)));
  }

private:
  [[nodiscard]] bool is_one(const onnx::NodeProto &node, const onnx::AttributeProto &attribute) const {
    return (node.op_type() == "Einsum" && attribute.name() == "equation") || names.contains(attribute.name());
  }
};

} // namespace

Status check_equations(const onnx::ModelProto &model) {
  Equations equations;
  for (bool found = true; found;) {
    found = false;
    for (const auto &function : model.functions()) found = equations.find_names(function.node()) || found;
  }
  EDGEC_CHECK(equations.check(model.graph().node()));
  for (const auto &function : model.functions()) {
    EDGEC_CHECK(equations.check(function.node()));
    for (const auto &attribute : function.attribute_proto()) // what a call leaves out
      if (attribute.has_s() && equations.names.contains(attribute.name()))
        EDGEC_CHECK(Equations::check(attribute, function.name()));
  }
  return {};
}

} // namespace edgec::proto
