#include "passes/pass.h"

#include <algorithm>

namespace edgec {

bool Scope::allows(const Node &node) const {
  constexpr std::size_t longest = 1000; // std::regex recurses along the name, and names come from files
  const auto matches = [&](const std::vector<std::regex> &rules) {
    const auto fits = [&](const std::string &text) {
      return std::ranges::any_of(
          rules, [&](const std::regex &rule) { return text.size() <= longest && std::regex_match(text, rule); });
    };
    return std::ranges::any_of(node.origins, fits) || fits(node.label());
  };
  if (!op_types.empty() && std::ranges::find(op_types, node.op) == op_types.end()) return false;
  if (!include.empty() && !matches(include)) return false;
  return !matches(exclude);
}

void PassContext::say(std::string_view pass, std::string node, std::string text) const {
  if (note) note({std::string(pass), std::move(node), std::move(text), false});
}

void PassContext::skip(std::string_view pass, std::string node, std::string text) const {
  if (note) note({std::string(pass), std::move(node), std::move(text), true});
}

const PassDef *find_pass(std::string_view name) {
  const auto passes = all_passes();
  const auto found = std::ranges::find(passes, name, &PassDef::name);
  return found == passes.end() ? nullptr : *found;
}

} // namespace edgec
