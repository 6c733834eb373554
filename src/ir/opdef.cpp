#include "ir/opdef.h"

#include <algorithm>
#include <cassert>
#include <tuple>

namespace edgec {
namespace {

auto key(const OpDef &op) { return std::tie(op.domain, op.name); }

} // namespace

const AxisCut *CutArgs::cut(bool output, std::size_t operand, int axis) const {
  for (const AxisCut &each : cuts)
    if (each.output == output && each.operand == operand && each.axis == axis) return &each;
  return nullptr;
}

OpRegistry::OpRegistry(std::vector<const OpDef *> ops) : ops_(std::move(ops)) {
  std::ranges::sort(ops_, [](const OpDef *a, const OpDef *b) { return key(*a) < key(*b); });
  assert(std::ranges::adjacent_find(ops_, [](const OpDef *a, const OpDef *b) { return key(*a) == key(*b); }) ==
         ops_.end());
}

const OpDef *OpRegistry::find(std::string_view domain, std::string_view name) const {
  const auto wanted = std::tie(domain, name);
  const auto found =
      std::ranges::lower_bound(ops_, wanted, {}, [](const OpDef *op) { return std::tie(op->domain, op->name); });
  return found != ops_.end() && key(**found) == wanted ? *found : nullptr;
}

} // namespace edgec
