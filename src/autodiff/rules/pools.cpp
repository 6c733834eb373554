// Pools.
#include "autodiff/rules/families.h"

namespace edgec::gradients {
namespace {

/// The pool's own attributes, and how edgec's gradient operators are told the rest.
std::vector<Attribute> attributes(const Backward &g) {
  std::vector<Attribute> found = g.node.attributes;
  found.push_back({"global", std::int64_t{g.node.op.starts_with("Global") ? 1 : 0}});
  found.push_back({"opset", g.b.opset()});
  return found;
}

void max_pool(const Backward &g) {
  g.give(0, g.b.outputs(1, "edgec", "MaxPoolGradient", {g.dy(), g.x(), g.y()}, attributes(g))[0]);
}

void average_pool(const Backward &g) {
  auto with_shape = attributes(g);
  with_shape.push_back({"input_shape", g.b.dims(g.x())});
  g.give(0, g.b.outputs(1, "edgec", "AveragePoolGradient", {g.dy()}, std::move(with_shape))[0]);
}

const GradientRule rules[] = {{"AveragePool", average_pool},
                              {"GlobalAveragePool", average_pool},
                              {"GlobalMaxPool", max_pool},
                              {"MaxPool", max_pool}};

} // namespace

std::span<const GradientRule> pools() { return rules; }

} // namespace edgec::gradients
