#include "autodiff/rule.h"

#include <algorithm>
#include <vector>

#include "autodiff/rules/families.h"

namespace edgec {

std::vector<const GradientRule *> all_gradient_rules() {
  std::vector<const GradientRule *> found;
  for (const auto family :
       {gradients::activations(), gradients::arithmetic(), gradients::normalizations(), gradients::pools(),
        gradients::products(), gradients::quantization(), gradients::reductions(), gradients::shapes()})
    for (const GradientRule &rule : family) found.push_back(&rule);
  std::ranges::sort(found, {}, [](const GradientRule *rule) { return rule->op; });
  return found;
}

const GradientRule *find_gradient_rule(const Node &node) {
  static const auto rules = all_gradient_rules();
  const auto at = std::ranges::lower_bound(rules, node.op, {}, [](const GradientRule *rule) { return rule->op; });
  const bool known = node.domain.empty() || node.domain == "edgec";
  return known && at != rules.end() && (*at)->op == node.op ? *at : nullptr;
}

} // namespace edgec
