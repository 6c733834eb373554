#include "passes/pass.h"

#include <algorithm>

namespace edgec {

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
