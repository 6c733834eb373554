// Operators that move elements.
#include <algorithm>
#include <numeric>
#include <optional>

#include "autodiff/rules/families.h"
#include "ir/evaluate.h"

namespace edgec::gradients {
namespace {

using Ints = std::vector<std::int64_t>;

std::int64_t axis_of(const Backward &g, std::int64_t otherwise) {
  const std::int64_t axis = g.node.get_int("axis", otherwise);
  return axis < 0 ? axis + g.b.rank(g.x()) : axis;
}

void reshape(const Backward &g) { g.give(0, g.b.reshape(g.dy(), g.b.dims(g.x()))); }
void expand(const Backward &g) { g.give(0, g.dy()); }

void transpose(const Backward &g) {
  Ints order = g.node.get_ints("perm"), back(static_cast<std::size_t>(g.b.rank(g.x())));
  if (order.empty()) {
    order.resize(back.size());
    std::iota(order.rbegin(), order.rend(), 0);
  }
  for (std::size_t i = 0; i < order.size(); ++i)
    back[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  g.give(0, g.b.transpose(g.dy(), back));
}

void concat(const Backward &g) {
  const auto axis = static_cast<int>(axis_of(g, 1));
  std::int64_t first = 0;
  for (std::size_t i = 0; i < g.node.inputs.size(); ++i) {
    const std::int64_t last = first + g.b.dims(g.x(i))[static_cast<std::size_t>(axis)];
    g.give(i, [&] { return g.b.slice(g.dy(), axis, first, last); });
    first = last;
  }
}

void split(const Backward &g) {
  const std::int64_t axis = axis_of(g, 0);
  std::vector<ValueId> parts;
  for (std::size_t i = 0; i < g.node.outputs.size(); ++i) {
    ValueId part = g.dy(i);
    if (!part.valid()) part = g.b.mul(g.y(i), g.b.number(0, g.y(i)));
    parts.push_back(part);
  }
  g.give(0, parts.size() == 1 ? parts[0] : g.b.op("Concat", parts, {{"axis", axis}}));
}

/// Operand i as integers, or the attribute of old opsets.
Ints ints(const Backward &g, std::size_t i, const char *name) {
  if (!g.x(i).valid()) return g.node.get_ints(name);
  const Tensor *given = g.constant(i);
  if (!given) g.refuse("its " + std::string(name) + " are computed");
  return given ? to_int64s(*given) : Ints{};
}

ValueId gathered_back(const Backward &g, ValueId dy, ValueId indices, std::int64_t axis, const Dims &dims) {
  return g.b.outputs(1, "edgec", "GatherGradient", {dy, indices}, {{"axis", axis}, {"input_shape", dims}})[0];
}

/// Axis by axis: places that were left out get zeros.
void slice(const Backward &g) {
  const Dims in = g.b.dims(g.x());
  const auto rank = static_cast<std::int64_t>(in.size());
  const Ints starts = ints(g, 1, "starts");
  Ints axes = ints(g, 3, "axes"), steps = ints(g, 4, "steps");
  if (!g.b.status()) return;
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  steps.resize(starts.size(), 1);
  ValueId dy = g.dy();
  Dims dims = g.b.dims(g.y());
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i] < 0 ? axes[i] + rank : axes[i]);
    const std::int64_t size = in[axis], count = dims[axis], high = steps[i] < 0 ? size - 1 : size;
    const std::int64_t start = std::clamp<std::int64_t>(starts[i] < 0 ? starts[i] + size : starts[i], 0, high);
    dims[axis] = size;
    if (steps[i] == 1) {
      Ints before(in.size(), 0), after(in.size(), 0);
      before[axis] = start;
      after[axis] = size - start - count;
      dy = g.b.pad(dy, before, after);
      continue;
    }
    Ints places;
    for (std::int64_t k = 0; k < count; ++k) places.push_back(start + k * steps[i]);
    dy = gathered_back(g, dy, g.b.ints(std::move(places)), static_cast<std::int64_t>(axis), dims);
  }
  g.give(0, dy);
}

void gather(const Backward &g) { g.give(0, gathered_back(g, g.dy(), g.x(1), axis_of(g, 0), g.b.dims(g.x()))); }

/// Constant padding: what was there is cut out again.
void pad(const Backward &g) {
  const Ints pads = ints(g, 1, "pads"), axes = g.x(3).valid() ? ints(g, 3, "axes") : Ints{};
  if (!g.b.status()) return;
  if (g.node.get_string("mode", "constant") != "constant") return g.refuse("it repeats elements");
  const Dims in = g.b.dims(g.x());
  ValueId dy = g.dy();
  const std::size_t count = pads.size() / 2;
  for (std::size_t i = 0; i < count; ++i) {
    std::int64_t axis = axes.empty() ? static_cast<std::int64_t>(i) : axes[i];
    if (axis < 0) axis += static_cast<std::int64_t>(in.size());
    if (pads[i] == 0 && pads[count + i] == 0) continue;
    if (pads[i] < 0 || pads[count + i] < 0) return g.refuse("it cuts");
    dy = g.b.slice(dy, static_cast<int>(axis), pads[i], pads[i] + in[static_cast<std::size_t>(axis)]);
  }
  g.give(0, dy);
}

void depth_to_space(const Backward &g) {
  Builder &b = g.b;
  const std::int64_t size = g.node.get_int("blocksize", 1);
  if (g.node.get_string("mode", "DCR") == "DCR")
    return g.give(0, b.op("SpaceToDepth", {g.dy()}, {{"blocksize", size}}));
  const Dims in = b.dims(g.x()); // CRD: channels outside, rows and columns of a block inside
  const ValueId blocks = b.reshape(g.dy(), {in[0], in[1] / size / size, in[2], size, in[3], size});
  g.give(0, b.reshape(b.transpose(blocks, {0, 1, 3, 5, 2, 4}), in));
}

/// Where scales and sizes name an axis; nothing: it stays as it is.
std::optional<std::size_t> resized(const Backward &g, std::size_t axis) {
  const auto *axes = g.node.get<Ints>("axes");
  if (axes == nullptr) return axis;
  const auto rank = static_cast<std::int64_t>(g.b.rank(g.x()));
  for (std::size_t i = 0; i < axes->size(); ++i)
    if (((*axes)[i] + rank) % rank == static_cast<std::int64_t>(axis)) return i;
  return std::nullopt;
}

/// Resize is linear, axis by axis: [in, out], what each element of a row gives. `at`: resized().
Result<Tensor> resize_matrix(const Backward &g, std::size_t at, std::int64_t in, std::int64_t out) {
  std::vector<double> ones(static_cast<std::size_t>(in * in));
  for (std::int64_t i = 0; i < in; ++i) ones[static_cast<std::size_t>(i * in + i)] = 1;
  const Tensor rows = from_doubles(g.b.dtype(g.x()), {in, in}, ones);
  const Tensor *scales = g.constant(2);
  Node node = g.node;
  std::erase_if(node.attributes, [](const Attribute &a) { return a.name == "axes"; });
  Tensor to; // scales or sizes of both axes
  const bool scaled = scales != nullptr && scales->size() > 0;
  if (scaled) {
    to = Tensor::of({2}, std::vector<float>{1, to_floats(*scales).at(at)});
  } else {
    to = Tensor::of({2}, std::vector<std::int64_t>{in, out});
  }
  const std::vector<const Tensor *> operands{&rows, nullptr, scaled ? &to : nullptr, scaled ? nullptr : &to};
  EDGEC_ASSIGN(const auto found, evaluate_node(*g.b.ops().find(g.node), node, g.b.opset(), operands));
  return *found[0].tensor;
}

void resize(const Backward &g) {
  Builder &b = g.b;
  if (b.opset() < 11) return g.refuse("it is one of opset 10");
  if (g.node.get_string("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" ||
      g.node.get_string("keep_aspect_ratio_policy", "stretch") != "stretch")
    return g.refuse("it crops, or keeps an aspect ratio");
  const Dims in = b.dims(g.x()), out = b.dims(g.y());
  const auto rank = static_cast<std::int64_t>(in.size());
  ValueId dy = g.dy();
  for (std::size_t axis = 0; axis < in.size(); ++axis) {
    const auto at = resized(g, axis);
    if (!at) continue;
    const auto matrix = resize_matrix(g, *at, in[axis], out[axis]);
    if (!matrix) return b.fail(matrix.error());
    std::vector<std::int64_t> order(in.size());
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[axis], order.back());
    const bool last = static_cast<std::int64_t>(axis) + 1 == rank;
    const ValueId rows = last ? dy : b.transpose(dy, order);
    const ValueId found = b.op("MatMul", {rows, b.transpose(b.constant(*matrix), {1, 0})});
    dy = last ? found : b.transpose(found, order);
  }
  g.give(0, dy);
}

void space_to_depth(const Backward &g) {
  g.give(0, g.b.op("DepthToSpace", {g.dy()}, {{"blocksize", g.node.get_int("blocksize", 1)}}));
}

const GradientRule rules[] = {{"Concat", concat},       {"DepthToSpace", depth_to_space},
                              {"Expand", expand},       {"Flatten", reshape},
                              {"Gather", gather},       {"Pad", pad},
                              {"Reshape", reshape},     {"Resize", resize},
                              {"Slice", slice},         {"SpaceToDepth", space_to_depth},
                              {"Split", split},         {"Squeeze", reshape},
                              {"Transpose", transpose}, {"Unsqueeze", reshape}};

} // namespace

std::span<const GradientRule> shapes() { return rules; }

} // namespace edgec::gradients
