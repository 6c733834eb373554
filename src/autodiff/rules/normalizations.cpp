// Normalizations. Their statistics' share of the gradient is the part of dx that shift and scale would undo.
#include <cmath>

#include "autodiff/rules/families.h"

namespace edgec::gradients {
namespace {

/// A number per channel as one that broadcasts over x.
ValueId by_channel(const Backward &g, ValueId value) {
  Dims dims(g.b.dims(g.x()).size(), 1);
  dims[1] = g.b.dims(g.x())[1];
  return g.b.reshape(value, dims);
}

std::vector<std::int64_t> axes_from(std::int64_t first, std::int64_t rank) {
  std::vector<std::int64_t> axes;
  for (std::int64_t i = first; i < rank; ++i) axes.push_back(i);
  return axes;
}

/// Of stored statistics: they are frozen. Sums over all but the channels.
void batch_normalization(const Backward &g) {
  Builder &b = g.b;
  if (g.node.get_int("training_mode", 0) != 0) return g.refuse("it normalizes by its batch");
  const auto epsilon = static_cast<double>(g.node.get_float("epsilon", 1e-5F));
  const ValueId slope = b.op("Reciprocal", {b.op("Sqrt", {b.plus(g.x(4), epsilon)})});
  const Dims channels = b.dims(g.x(1));
  const auto summed = [&](ValueId x) {
    std::vector<std::int64_t> axes = axes_from(2, b.rank(x));
    axes.insert(axes.begin(), 0);
    return b.reshape(b.sum(x, axes), channels);
  };
  g.give(0, [&] { return b.mul(g.dy(), by_channel(g, b.mul(g.x(1), slope))); });
  g.give(1, [&] {
    const ValueId normal = b.mul(b.sub(g.x(), by_channel(g, g.x(3))), by_channel(g, slope));
    return summed(b.mul(g.dy(), normal));
  });
  g.give(2, [&] { return summed(g.dy()); });
  if (g.wants(3) || g.wants(4)) g.refuse("its statistics are computed");
}

/// x normalized over axes, its slope, and how the gradient dn of the normalized comes back.
struct Normal {
  ValueId slope, value;
};

Normal normalized(const Backward &g, const std::vector<std::int64_t> &axes, bool centred, float epsilon) {
  Builder &b = g.b;
  const ValueId x = centred ? b.sub(g.x(), b.mean(g.x(), axes)) : g.x();
  const ValueId variance = b.mean(b.square(x), axes);
  const ValueId slope = b.op("Reciprocal", {b.op("Sqrt", {b.plus(variance, static_cast<double>(epsilon))})});
  return {slope, b.mul(x, slope)};
}

ValueId back(const Backward &g, const Normal &n, ValueId dn, const std::vector<std::int64_t> &axes, bool centred) {
  Builder &b = g.b;
  ValueId left = b.sub(dn, b.mul(n.value, b.mean(b.mul(dn, n.value), axes)));
  if (centred) left = b.sub(left, b.mean(dn, axes));
  return b.mul(left, n.slope);
}

void over_last_axes(const Backward &g, bool centred) {
  Builder &b = g.b;
  if (g.node.outputs.size() > 1) return g.refuse("its statistics are outputs");
  const std::int64_t rank = b.rank(g.x()), axis = g.node.get_int("axis", -1);
  const auto axes = axes_from(axis < 0 ? axis + rank : axis, rank);
  const Normal n = normalized(g, axes, centred, g.node.get_float("epsilon", 1e-5F));
  g.give(0, [&] { return back(g, n, b.mul(g.dy(), g.x(1)), axes, centred); });
  g.give(1, [&] { return b.mul(g.dy(), n.value); });
  if (centred) g.give(2, [&] { return g.dy(); });
}

void layer_normalization(const Backward &g) { over_last_axes(g, true); }
void rms_normalization(const Backward &g) { over_last_axes(g, false); }

void instance_normalization(const Backward &g) {
  Builder &b = g.b;
  const auto axes = axes_from(2, b.rank(g.x()));
  const Normal n = normalized(g, axes, true, g.node.get_float("epsilon", 1e-5F));
  const auto summed = [&](ValueId x) {
    std::vector<std::int64_t> all = axes;
    all.insert(all.begin(), 0);
    return b.reshape(b.sum(x, all), b.dims(g.x(1)));
  };
  g.give(0, [&] { return back(g, n, b.mul(g.dy(), by_channel(g, g.x(1))), axes, true); });
  g.give(1, [&] { return summed(b.mul(g.dy(), n.value)); });
  g.give(2, [&] { return summed(g.dy()); });
}

const GradientRule rules[] = {{"BatchNormalization", batch_normalization},
                              {"InstanceNormalization", instance_normalization},
                              {"LayerNormalization", layer_normalization},
                              {"RMSNormalization", rms_normalization}};

} // namespace

std::span<const GradientRule> normalizations() { return rules; }

} // namespace edgec::gradients
