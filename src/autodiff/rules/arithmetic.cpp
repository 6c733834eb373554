// Element-wise functions of one, two and more operands.
#include <cmath>
#include <numbers>

#include "autodiff/rules/families.h"

namespace edgec::gradients {
namespace {

void add(const Backward &g) {
  g.give(0, g.dy());
  g.give(1, g.dy());
}

void sub(const Backward &g) {
  g.give(0, g.dy());
  g.give(1, [&] { return g.b.neg(g.dy()); });
}

void mul(const Backward &g) {
  g.give(0, [&] { return g.b.mul(g.dy(), g.x(1)); });
  g.give(1, [&] { return g.b.mul(g.dy(), g.x(0)); });
}

void div(const Backward &g) {
  const ValueId part = g.b.div(g.dy(), g.x(1));
  g.give(0, part);
  g.give(1, [&] { return g.b.neg(g.b.mul(part, g.y())); });
}

/// x^(p - 1) times p; and log(x) times y, where the exponent is wanted.
void pow(const Backward &g) {
  Builder &b = g.b;
  g.give(0, [&] {
    const ValueId p = b.cast(g.x(1), b.dtype(g.x()));
    return b.mul(g.dy(), b.mul(p, b.op("Pow", {g.x(), b.plus(p, -1)})));
  });
  g.give(1, [&] { return b.mul(g.dy(), b.mul(g.y(), b.op("Log", {g.x()}))); });
}

void neg(const Backward &g) { g.give(0, g.b.neg(g.dy())); }
void abs(const Backward &g) { g.give(0, g.b.mul(g.dy(), g.b.op("Sign", {g.x()}))); }
void exp(const Backward &g) { g.give(0, g.b.mul(g.dy(), g.y())); }
void log(const Backward &g) { g.give(0, g.b.div(g.dy(), g.x())); }
void sqrt(const Backward &g) { g.give(0, g.b.div(g.b.scaled(g.dy(), 0.5), g.y())); }
void sin(const Backward &g) { g.give(0, g.b.mul(g.dy(), g.b.op("Cos", {g.x()}))); }
void cos(const Backward &g) { g.give(0, g.b.neg(g.b.mul(g.dy(), g.b.op("Sin", {g.x()})))); }
void reciprocal(const Backward &g) { g.give(0, g.b.neg(g.b.mul(g.dy(), g.b.square(g.y())))); }

/// 2 / sqrt(pi) exp(-x^2)
void erf(const Backward &g) {
  const ValueId bell = g.b.op("Exp", {g.b.neg(g.b.square(g.x()))});
  g.give(0, g.b.scaled(g.b.mul(g.dy(), bell), 2 / std::sqrt(std::numbers::pi)));
}

void identity(const Backward &g) { g.give(0, g.dy()); }

void cast(const Backward &g) { g.give(0, g.b.cast(g.dy(), g.b.dtype(g.x()))); }

void sum(const Backward &g) {
  for (std::size_t i = 0; i < g.node.inputs.size(); ++i) g.give(i, g.dy());
}

void mean(const Backward &g) {
  const ValueId part = g.b.scaled(g.dy(), 1.0 / static_cast<double>(g.node.inputs.size()));
  for (std::size_t i = 0; i < g.node.inputs.size(); ++i) g.give(i, part);
}

/// To the operand that is the result: the first of them.
void extreme(const Backward &g) {
  Builder &b = g.b;
  ValueId left = g.dy();
  for (std::size_t i = 0; i < g.node.inputs.size(); ++i) {
    const ValueId is = b.op("Equal", {g.x(i), g.y()});
    const ValueId part = b.where(is, left);
    left = b.sub(left, part);
    g.give(i, [&] { return part; });
  }
}

void where(const Backward &g) {
  Builder &b = g.b;
  g.give(1, [&] { return b.where(g.x(0), g.dy()); });
  g.give(2, [&] { return b.op("Where", {g.x(0), b.number(0, g.dy()), g.dy()}); });
}

const GradientRule rules[] = {{"Abs", abs},
                              {"Add", add},
                              {"Cast", cast},
                              {"Cos", cos},
                              {"Div", div},
                              {"Dropout", identity}, // at inference
                              {"Erf", erf},
                              {"Exp", exp},
                              {"Identity", identity},
                              {"Log", log},
                              {"Max", extreme},
                              {"Mean", mean},
                              {"Min", extreme},
                              {"Mul", mul},
                              {"Neg", neg},
                              {"Pow", pow},
                              {"Reciprocal", reciprocal},
                              {"Sin", sin},
                              {"Sqrt", sqrt},
                              {"Sub", sub},
                              {"Sum", sum},
                              {"Where", where}};

} // namespace

std::span<const GradientRule> arithmetic() { return rules; }

} // namespace edgec::gradients
