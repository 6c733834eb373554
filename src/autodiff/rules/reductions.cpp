// Reductions over axes.
#include <numeric>

#include "autodiff/rules/families.h"

namespace edgec::gradients {
namespace {

/// Operand 0's dims with 1 where an axis was reduced; nothing and an error where the axes are computed.
Dims kept_dims(const Backward &g) {
  Dims dims = g.b.dims(g.x());
  const auto rank = static_cast<std::int64_t>(dims.size());
  std::vector<std::int64_t> axes = g.node.get_ints("axes");
  if (g.x(1).valid()) {
    const Tensor *given = g.constant(1);
    if (!given) {
      g.refuse("its axes are computed");
      return dims;
    }
    axes = to_int64s(*given);
  }
  if (axes.empty() && g.node.get_int("noop_with_empty_axes", 0) == 0) {
    axes.resize(dims.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (const std::int64_t axis : axes) dims[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)] = 1;
  return dims;
}

/// A value of the result's size as one that broadcasts over the operand.
ValueId kept(const Backward &g, ValueId value) { return g.b.reshape(value, kept_dims(g)); }

/// How many elements went into one.
double group(const Backward &g) {
  const auto all = element_count(g.b.dims(g.x())).value_or(0), groups = element_count(kept_dims(g)).value_or(1);
  return static_cast<double>(all) / static_cast<double>(groups);
}

/// Broadcast over the operand's shape.
ValueId spread(const Backward &g, ValueId value) {
  const Dims dims = g.b.dims(g.x());
  return g.b.op("Expand", {value, g.b.ints({dims.begin(), dims.end()})});
}

void sum(const Backward &g) { g.give(0, spread(g, kept(g, g.dy()))); }
void mean(const Backward &g) { g.give(0, spread(g, kept(g, g.b.scaled(g.dy(), 1 / group(g))))); }
void sum_square(const Backward &g) { g.give(0, g.b.mul(g.b.scaled(g.x(), 2), kept(g, g.dy()))); }
void l1(const Backward &g) { g.give(0, g.b.mul(g.b.op("Sign", {g.x()}), kept(g, g.dy()))); }
void l2(const Backward &g) { g.give(0, g.b.mul(g.x(), kept(g, g.b.div(g.dy(), g.y())))); }
void log_sum(const Backward &g) { g.give(0, spread(g, kept(g, g.b.div(g.dy(), g.b.op("Exp", {g.y()}))))); }

/// exp(x - y)
void log_sum_exp(const Backward &g) {
  g.give(0, g.b.mul(g.b.op("Exp", {g.b.sub(g.x(), kept(g, g.y()))}), kept(g, g.dy())));
}

/// In equal parts to all that are the largest.
void extreme(const Backward &g) {
  Builder &b = g.b;
  const ValueId is = b.op("Equal", {g.x(), spread(g, kept(g, g.y()))});
  const ValueId ones = b.op("Where", {is, b.number(1, g.x()), b.number(0, g.x())});
  std::vector<std::int64_t> axes;
  const Dims all = b.dims(g.x()), left = kept_dims(g);
  for (std::size_t i = 0; i < all.size(); ++i)
    if (all[i] != left[i]) axes.push_back(static_cast<std::int64_t>(i));
  g.give(0, b.mul(b.div(ones, b.sum(ones, axes)), kept(g, g.dy())));
}

const GradientRule rules[] = {{"ReduceL1", l1},
                              {"ReduceL2", l2},
                              {"ReduceLogSum", log_sum},
                              {"ReduceLogSumExp", log_sum_exp},
                              {"ReduceMax", extreme},
                              {"ReduceMean", mean},
                              {"ReduceMin", extreme},
                              {"ReduceSum", sum},
                              {"ReduceSumSquare", sum_square}};

} // namespace

std::span<const GradientRule> reductions() { return rules; }

} // namespace edgec::gradients
