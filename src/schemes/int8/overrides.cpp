#include "schemes/int8/overrides.h"

#include <algorithm>
#include <fmt/format.h>
#include <string>
#include <vector>

#include "schemes/int8/placement.h"
#include "support/nearest.h"
#include "support/pattern.h"

namespace edgec {
namespace {

const std::vector<std::string> types{"float", "int8", "int16", "int4"};

struct Rule {
  std::string flag; ///< as it was given, for messages
  std::string name;
  Pattern pattern;
  std::string type;
};

Result<Rule> parse_rule(const std::string &flag, const std::string &text, const std::string &type) {
  EDGEC_ASSIGN(const Pattern pattern, Pattern::parse(text).in(flag));
  return Rule{fmt::format("{} {}", flag, text), text, pattern, type};
}

Result<std::vector<Rule>> rules_of(const Int8Options &options) {
  std::vector<Rule> rules;
  for (const std::string &name : options.keep_float) {
    EDGEC_ASSIGN(rules.emplace_back(), parse_rule("--keep-float", name, "float"));
  }
  for (const std::string &text : options.precision) {
    const std::size_t equals = text.rfind('=');
    const std::string type = equals == std::string::npos ? std::string() : text.substr(equals + 1);
    if (equals == std::string::npos || equals == 0 || std::ranges::find(types, type) == types.end())
      return usage_error(fmt::format("--precision {}: NAME=TYPE was expected, with one of {} as TYPE{}", text,
                                     fmt::join(types, ", "), did_you_mean(type, types)));
    EDGEC_ASSIGN(rules.emplace_back(), parse_rule("--precision", text.substr(0, equals), type));
  }
  return rules;
}

/// The nodes with constant weights, in order.
std::vector<NodeId> layers_of(const Graph &graph, const Job &job) {
  std::vector<NodeId> found;
  Job quiet = job;
  quiet.note = nullptr;
  for (const Int8Layer &layer : plan_int8(graph, quiet, {}).layers) found.push_back(layer.node);
  return found;
}

void put(const Rule &rule, ValueId value, NetworkSpec &spec) {
  if (rule.type == "float") spec.other_values[value] = std::nullopt;
  if (rule.type == "int16") spec.other_values[value] = uint16_values;
  if (rule.type == "int8") spec.other_values[value] = spec.values;
}

void put(const Rule &rule, const Node &node, NetworkSpec &spec, NodeId id) {
  if (rule.type == "int4") {
    spec.other_weights[id] = {4, true};
    return;
  }
  if (rule.type == "float")
    spec.float_nodes.insert(id);
  else
    spec.float_nodes.erase(id);
  if (rule.type == "int8") spec.other_weights.erase(id);
  if (rule.type != "float")
    for (const ValueId output : node.outputs)
      if (output.valid()) put(rule, output, spec);
}

} // namespace

Status check_overrides(const Int8Options &options) {
  EDGEC_ASSIGN(const auto rules, rules_of(options));
  const bool wide = std::ranges::any_of(rules, [](const Rule &rule) { return rule.type == "int16"; });
  if (wide && options.integer_results)
    return usage_error("--precision: operators in integer form (--format qoperator) read 8 bits, not int16");
  return {};
}

bool needs_opset_21(const Int8Options &options) {
  return std::ranges::any_of(
      options.precision, [](const std::string &text) { return text.ends_with("=int16") || text.ends_with("=int4"); });
}

Status apply_overrides(const Graph &graph, const Job &job, NetworkSpec &spec) {
  EDGEC_ASSIGN(const auto rules, rules_of(job.options<Int8Options>()));
  if (rules.empty()) return {};
  const std::vector<NodeId> layers = layers_of(graph, job);
  for (const Rule &rule : rules) {
    bool found = false;
    for (const ValueId input : graph.inputs())
      if (rule.pattern.matches(graph.value(input).name)) put(rule, input, spec), found = true;
    for (const NodeId id : graph.nodes()) {
      const Node &node = graph.node(id);
      const auto fits = [&](const std::string &text) { return rule.pattern.matches(text); };
      const bool at_end = !layers.empty() && ((rule.name == "first" && id == layers.front()) ||
                                              (rule.name == "last" && id == layers.back()));
      if (!at_end && rule.name != node.op && !fits(node.label()) && !std::ranges::any_of(node.origins, fits)) continue;
      put(rule, node, spec, id);
      if (rule.type == "float") job.skip(int8_name, node.label(), "left float as asked");
      found = true;
    }
    if (!found)
      return usage_error(
          fmt::format("{}: no node, operator type or input is called so; 'edgec inspect' lists them", rule.flag));
  }
  return {};
}

} // namespace edgec
