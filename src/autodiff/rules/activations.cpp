// Activations, Softmax and LogSoftmax.
#include <cmath>
#include <limits>
#include <numbers>
#include <optional>

#include "autodiff/rules/families.h"

namespace edgec::gradients {
namespace {

constexpr float unbounded = std::numeric_limits<float>::infinity();

/// dy where `x` is between the bounds, else 0.
ValueId between(const Backward &g, ValueId dy, ValueId x, float low, float high) {
  return g.b.outputs(1, "edgec", "ClipGradient", {dy, x}, {{"low", low}, {"high", high}})[0];
}

void relu(const Backward &g) { g.give(0, between(g, g.dy(), g.y(), 0, unbounded)); }

/// dy times `slope` where x is negative.
void leaky(const Backward &g, double slope) {
  const ValueId right = g.b.scaled(between(g, g.dy(), g.x(), 0, unbounded), 1 - slope);
  g.give(0, g.b.add(right, g.b.scaled(g.dy(), slope)));
}

void leaky_relu(const Backward &g) { leaky(g, static_cast<double>(g.node.get_float("alpha", 0.01F))); }

void prelu(const Backward &g) {
  Builder &b = g.b;
  const ValueId right = between(g, g.dy(), g.x(), 0, unbounded), left = b.sub(g.dy(), right);
  g.give(0, [&] { return b.add(right, b.mul(left, g.x(1))); });
  g.give(1, [&] { return b.mul(left, g.x()); });
}

/// One of Clip's bounds: an operand, an attribute before opset 11, or none.
std::optional<float> bound(const Backward &g, std::size_t i, const char *name, float otherwise) {
  if (g.node.inputs.size() <= i || !g.x(i).valid()) return g.node.get_float(name, otherwise);
  const Tensor *value = g.constant(i);
  return value ? std::optional(to_floats(*value).at(0)) : std::nullopt;
}

void clip(const Backward &g) {
  const auto low = bound(g, 1, "min", -unbounded), high = bound(g, 2, "max", unbounded);
  if (!low || !high) return g.refuse("its bounds are computed");
  g.give(0, between(g, g.dy(), g.x(), *low, *high));
}

/// y (1 - y)
void sigmoid(const Backward &g) { g.give(0, g.b.mul(g.dy(), g.b.mul(g.y(), g.b.sub(g.b.number(1, g.y()), g.y())))); }

void tanh(const Backward &g) { g.give(0, g.b.mul(g.dy(), g.b.sub(g.b.number(1, g.y()), g.b.square(g.y())))); }

void hard_sigmoid(const Backward &g) {
  const float alpha = g.node.get_float("alpha", 0.2F);
  g.give(0, g.b.scaled(between(g, g.dy(), g.y(), 0, 1), static_cast<double>(alpha)));
}

/// x clip(x / 6 + 1/2, 0, 1): the clipped factor, and x / 6 inside.
void hard_swish(const Backward &g) {
  Builder &b = g.b;
  const ValueId inside = between(g, g.dy(), g.x(), -3, 3), above = between(g, g.dy(), g.x(), 3, unbounded);
  const ValueId slope = b.plus(b.scaled(g.x(), 1.0 / 3), 0.5);
  g.give(0, b.add(above, b.mul(inside, slope)));
}

void softplus(const Backward &g) { g.give(0, g.b.mul(g.dy(), g.b.op("Sigmoid", {g.x()}))); }

/// (1 - |y|)^2
void softsign(const Backward &g) {
  const ValueId rest = g.b.sub(g.b.number(1, g.y()), g.b.op("Abs", {g.y()}));
  g.give(0, g.b.mul(g.dy(), g.b.square(rest)));
}

/// alpha exp(x), that is y + alpha, where x is negative.
void elu(const Backward &g) {
  const auto alpha = static_cast<double>(g.node.get_float("alpha", 1));
  const ValueId right = between(g, g.dy(), g.x(), 0, unbounded), left = g.b.sub(g.dy(), right);
  g.give(0, g.b.add(right, g.b.mul(left, g.b.plus(g.y(), alpha))));
}

/// x P(x): P(x) + x p(x), P the normal distribution or its approximation by tanh (Hendrycks and Gimpel 2016).
void gelu(const Backward &g) {
  Builder &b = g.b;
  const ValueId x = g.x();
  if (g.node.get_string("approximate", "none") == "none") {
    const ValueId share = b.scaled(b.plus(b.op("Erf", {b.scaled(x, std::numbers::sqrt2 / 2)}), 1), 0.5);
    const ValueId bell = b.op("Exp", {b.scaled(b.square(x), -0.5)});
    const ValueId density = b.scaled(bell, 1 / std::sqrt(2 * std::numbers::pi));
    return g.give(0, b.mul(g.dy(), b.add(share, b.mul(x, density))));
  }
  const double c = std::sqrt(2 / std::numbers::pi), a = 0.044715;
  const ValueId squares = b.square(x);
  const ValueId t = b.op("Tanh", {b.scaled(b.mul(x, b.plus(b.scaled(squares, a), 1)), c)});
  const ValueId slope = b.scaled(b.plus(b.scaled(squares, 3 * a), 1), c);
  const ValueId inner = b.mul(b.mul(x, b.sub(b.number(1, t), b.square(t))), slope);
  g.give(0, b.scaled(b.mul(g.dy(), b.plus(b.add(t, inner), 1)), 0.5));
}

/// Axes over which a Softmax sums: one; before opset 13 all from it on.
std::vector<std::int64_t> softmax_axes(const Backward &g) {
  const std::int64_t rank = g.b.rank(g.x()), first = g.node.get_int("axis", g.b.opset() >= 13 ? -1 : 1);
  std::vector<std::int64_t> axes{first < 0 ? first + rank : first};
  while (g.b.opset() < 13 && axes.back() + 1 < rank) axes.push_back(axes.back() + 1);
  return axes;
}

/// y (dy - sum(y dy))
void softmax(const Backward &g) {
  const ValueId product = g.b.mul(g.dy(), g.y());
  g.give(0, g.b.sub(product, g.b.mul(g.y(), g.b.sum(product, softmax_axes(g)))));
}

/// dy - exp(y) sum(dy)
void log_softmax(const Backward &g) {
  g.give(0, g.b.sub(g.dy(), g.b.mul(g.b.op("Exp", {g.y()}), g.b.sum(g.dy(), softmax_axes(g)))));
}

const GradientRule rules[] = {{"Clip", clip},
                              {"Elu", elu},
                              {"Gelu", gelu},
                              {"HardSigmoid", hard_sigmoid},
                              {"HardSwish", hard_swish},
                              {"LeakyRelu", leaky_relu},
                              {"LogSoftmax", log_softmax},
                              {"PRelu", prelu},
                              {"Relu", relu},
                              {"Sigmoid", sigmoid},
                              {"Softmax", softmax},
                              {"Softplus", softplus},
                              {"Softsign", softsign},
                              {"Tanh", tanh}};

} // namespace

std::span<const GradientRule> activations() { return rules; }

} // namespace edgec::gradients
