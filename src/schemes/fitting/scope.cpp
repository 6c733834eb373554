#include "schemes/fitting/scope.h"

#include <algorithm>

namespace edgec {

bool Scope::allows(const Node &node) const {
  const auto matches = [&](const std::vector<Pattern> &rules) {
    const auto fits = [&](const std::string &text) {
      return std::ranges::any_of(rules, [&](const Pattern &rule) { return rule.matches(text); });
    };
    return std::ranges::any_of(node.origins, fits) || fits(node.label());
  };
  if (!op_types.empty() && std::ranges::find(op_types, node.op) == op_types.end()) return false;
  if (!include.empty() && !matches(include)) return false;
  return !matches(exclude);
}

bool Scope::names(const Node &node) const {
  const auto listed = [&](const std::string &text) { return std::ranges::find(named, text) != named.end(); };
  return listed(node.label()) || std::ranges::any_of(node.origins, listed);
}

} // namespace edgec
