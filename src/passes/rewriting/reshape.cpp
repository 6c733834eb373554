#include "passes/rewriting/reshape.h"

#include <algorithm>

namespace edgec::passes {

std::optional<std::vector<std::int64_t>> reshape_target(const ShapeFacts &facts, ValueId from, ValueId to) {
  const auto source = facts.shapes.find(from), result = facts.shapes.find(to);
  if (source == facts.shapes.end() || result == facts.shapes.end()) return std::nullopt;
  const Shape &was = source->second, &is = result->second;
  const auto open = std::ranges::count_if(is, [](const Dim &dim) { return !dim.is_known(); });
  std::vector<std::int64_t> target;
  for (std::size_t i = 0; i < is.size(); ++i) {
    if (is[i].size == 0) return std::nullopt;
    if (is[i].is_known())
      target.push_back(is[i].size);
    else if (open == 1)
      target.push_back(-1);
    else if (i < was.size() && was[i] == is[i])
      target.push_back(0);
    else
      return std::nullopt;
  }
  return target;
}

bool same_shape(const ShapeFacts &facts, ValueId a, ValueId b) {
  const auto one = facts.shapes.find(a), other = facts.shapes.find(b);
  return one != facts.shapes.end() && other != facts.shapes.end() && one->second == other->second;
}

} // namespace edgec::passes
