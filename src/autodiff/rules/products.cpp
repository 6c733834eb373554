// Convolutions and matrix products.
#include <numeric>
#include <utility>

#include "autodiff/rules/families.h"
#include "kernels/shapes.h"

namespace edgec::gradients {
namespace {

using Ints = std::vector<std::int64_t>;

/// Windows spelled out: strides, dilations, pads and, for ConvTranspose, output_padding.
struct Windows {
  Ints kernel, strides, dilations, before, after, more;

  explicit Windows(const ConvShape &shape) {
    for (int i = 3 - shape.rank; i < 3; ++i) {
      const Window &w = shape.axes[static_cast<std::size_t>(i)];
      kernel.push_back(w.kernel);
      strides.push_back(w.stride);
      dilations.push_back(w.dilation);
      before.push_back(w.pad_begin);
      // What the windows reach beyond the input; less than nothing: what they leave of it.
      const std::int64_t end = w.stride * (w.out - 1) + w.reach() + 1 - w.pad_begin - w.in;
      after.push_back(std::max<std::int64_t>(end, 0));
      more.push_back(std::max<std::int64_t>(-end, 0));
    }
  }

  [[nodiscard]] std::vector<Attribute> attributes(std::int64_t groups) const {
    Ints pads = before;
    pads.insert(pads.end(), after.begin(), after.end());
    return {
        {"kernel_shape", kernel}, {"strides", strides}, {"dilations", dilations}, {"pads", pads}, {"group", groups}};
  }
};

void give_weight_and_bias(const Backward &g, ValueId x, ValueId dy, std::vector<Attribute> attributes) {
  if (!g.wants(1) && !g.wants(2)) return;
  const auto found = g.b.outputs(2, "edgec", "ConvWeightGradient", {x, dy}, std::move(attributes));
  if (g.wants(1)) g.give(1, found[0]);
  if (g.wants(2)) g.give(2, found[1]);
}

void conv(const Backward &g) {
  const auto shape = g.b.ops().find(g.node)->as_conv(g.node, g.b.dims(g.x()), g.b.dims(g.x(1)));
  if (!shape) return g.b.fail(shape.error());
  const Windows windows(*shape);
  const auto attributes = windows.attributes(shape->groups);
  g.give(0, [&] {
    auto transposed = attributes;
    transposed.push_back({"output_padding", windows.more});
    return g.b.op("ConvTranspose", {g.dy(), g.x(1)}, std::move(transposed));
  });
  give_weight_and_bias(g, g.x(), g.dy(), attributes);
}

/// Its transpose is the convolution with the same weight, whose data is this one's output.
void conv_transpose(const Backward &g) {
  const Dims in = g.b.dims(g.x()), out = g.b.dims(g.y()), w = g.b.dims(g.x(1));
  Ints strides = g.node.get_ints("strides"), dilations = g.node.get_ints("dilations"), pads = g.node.get_ints("pads");
  const std::size_t rank = in.size() - 2;
  if (g.node.get_string("auto_pad", "NOTSET") != "NOTSET" || !g.node.get_ints("output_shape").empty())
    return g.refuse("its padding follows from auto_pad or output_shape");
  strides.resize(rank, 1);
  dilations.resize(rank, 1);
  pads.resize(2 * rank, 0);
  for (std::size_t i = 0; i < rank; ++i) {
    pads[rank + i] = strides[i] * (in[i + 2] - 1) + (w[i + 2] - 1) * dilations[i] + 1 - pads[i] - out[i + 2];
    if (pads[rank + i] <= -strides[i]) return g.refuse("its output_padding is larger than its stride");
    pads[rank + i] = std::max<std::int64_t>(pads[rank + i], 0);
  }
  const std::vector<Attribute> attributes{{"kernel_shape", Ints(w.begin() + 2, w.end())},
                                          {"strides", strides},
                                          {"dilations", dilations},
                                          {"pads", pads},
                                          {"group", g.node.get_int("group", 1)}};
  g.give(0, [&] { return g.b.op("Conv", {g.dy(), g.x(1)}, attributes); });
  g.give(1, [&] { return g.b.outputs(2, "edgec", "ConvWeightGradient", {g.dy(), g.x()}, attributes)[0]; });
  g.give(2, [&] {
    Ints axes(out.size());
    std::iota(axes.begin(), axes.end(), 0);
    axes.erase(axes.begin() + 1);
    return g.b.reshape(g.b.sum(g.dy(), axes), {out[1]});
  });
}

ValueId transposed(Builder &b, ValueId x) {
  Ints order(static_cast<std::size_t>(b.rank(x)));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[order.size() - 2], order.back());
  return b.transpose(x, order);
}

std::int64_t rows_of(const Dims &dims) {
  return std::accumulate(dims.begin(), dims.end() - 1, std::int64_t{1}, std::multiplies<>());
}

/// dA = dY B', dB = A' dY. A vector is a matrix of one row or column.
void matmul(const Backward &g) {
  Builder &b = g.b;
  Dims left = b.dims(g.x(0)), right = b.dims(g.x(1)), out = b.dims(g.y());
  if (left.size() == 1) {
    left.insert(left.begin(), 1);
    out.insert(right.size() == 1 ? out.end() : out.end() - 1, 1);
  }
  if (right.size() == 1) {
    right.push_back(1);
    out.push_back(1);
  }
  const ValueId dy = b.reshape(g.dy(), out), a = b.reshape(g.x(0), left), w = b.reshape(g.x(1), right);
  const auto sized = [&](ValueId gradient, const Dims &dims) { return b.sum_to(gradient, dims); };
  g.give(0, [&] { return b.reshape(sized(b.op("MatMul", {dy, transposed(b, w)}), left), b.dims(g.x(0))); });
  g.give(1, [&] {
    if (right.size() > 2) return b.reshape(sized(b.op("MatMul", {transposed(b, a), dy}), right), b.dims(g.x(1)));
    const ValueId rows = b.reshape(a, {rows_of(left), left.back()}); // one product, of all rows
    const ValueId product = b.op("MatMul", {transposed(b, rows), b.reshape(dy, {rows_of(out), out.back()})});
    return b.reshape(product, b.dims(g.x(1)));
  });
}

/// Y = alpha A' B' + beta C, each transposed or not.
void gemm(const Backward &g) {
  Builder &b = g.b;
  const auto alpha = static_cast<double>(g.node.get_float("alpha", 1)),
             beta = static_cast<double>(g.node.get_float("beta", 1));
  const bool turns_a = g.node.get_int("transA", 0) != 0, turns_b = g.node.get_int("transB", 0) != 0;
  const ValueId dy = b.scaled(g.dy(), alpha);
  const auto plain = [&](ValueId x, bool turned) { return turned ? transposed(b, x) : x; };
  g.give(0, [&] { return plain(b.op("MatMul", {dy, plain(g.x(1), !turns_b)}), turns_a); });
  g.give(1, [&] { return plain(b.op("MatMul", {plain(g.x(0), !turns_a), dy}), turns_b); });
  g.give(2, [&] { return b.scaled(g.dy(), beta); });
}

const GradientRule rules[] = {{"Conv", conv}, {"ConvTranspose", conv_transpose}, {"Gemm", gemm}, {"MatMul", matmul}};

} // namespace

std::span<const GradientRule> products() { return rules; }

} // namespace edgec::gradients
