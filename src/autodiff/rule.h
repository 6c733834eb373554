// What the gradient of an operator is: a companion of OpDef, found by the same name.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "autodiff/builder.h"

namespace edgec {

/// A node on the way back, its outputs' gradients known.
struct Backward {
  Builder &b;
  const Node &node;
  std::span<const ValueId> gradients; ///< of the outputs; none: nothing depends on it
  std::span<const char> wanted;       ///< by operand
  std::span<ValueId> given;           ///< by operand: what the rule found

  [[nodiscard]] ValueId x(std::size_t i = 0) const { return node.input(i); }
  [[nodiscard]] ValueId y(std::size_t i = 0) const { return node.outputs[i]; }
  [[nodiscard]] ValueId dy(std::size_t i = 0) const { return i < gradients.size() ? gradients[i] : ValueId{}; }
  [[nodiscard]] bool wants(std::size_t i) const { return i < wanted.size() && wanted[i] != 0; }
  [[nodiscard]] const Tensor *constant(std::size_t i) const { return b.graph().constant(node.input(i)); }
  /// Operand i's gradient; where the operand was broadcast, summed back to its shape.
  void give(std::size_t i, ValueId gradient) const { given[i] = b.sum_to(gradient, b.dims(x(i))); }
  /// The same, made only where it is wanted.
  void give(std::size_t i, const std::function<ValueId()> &gradient) const {
    if (wants(i)) give(i, gradient());
  }
  void refuse(std::string_view why) const { b.fail(unsupported(std::string(why))); }
};

struct GradientRule {
  std::string_view op;
  void (*run)(const Backward &) = nullptr;
  /// It passes on what the function, which is constant almost everywhere, does not (Bengio et al. 2013).
  bool straight_through = false;
};

/// Null: the operator has no gradient.
const GradientRule *find_gradient_rule(const Node &node);

/// Every rule.
std::vector<const GradientRule *> all_gradient_rules();

} // namespace edgec
