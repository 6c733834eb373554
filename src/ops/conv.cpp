// Conv: ONNX's convolution. Operands that are quantized make it the integer convolution with requantization.
#include <fmt/format.h>

#include "kernels/reference/conv.h"

#include "ops/shared/integer.h"
#include "ops/shared/weighted.h"
#include "ops/shared/window.h"
#include <algorithm>

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  const Type *x = args.input(0), *w = args.input(1);
  if (!x || !w) return bad_input("Conv needs an input and a weight");
  const std::optional<int> rank = x->rank() ? x->rank() : w->rank();
  if (!rank) return std::vector<Type>{product_type(*x, std::nullopt)};
  if (*rank < 3) return bad_input(fmt::format("Conv of rank {}, expected at least 3", *rank));
  if (w->rank() && *w->rank() != *rank)
    return bad_input(fmt::format("input of rank {}, weight of rank {}", *rank, *w->rank()));
  const std::int64_t groups = args.node.get_int("group", 1);
  if (x->shape && w->shape && (*x->shape)[1].is_known() && (*w->shape)[1].is_known() &&
      (*x->shape)[1].size / std::max<std::int64_t>(groups, 1) != (*w->shape)[1].size)
    return bad_input(fmt::format("an input of {} channels in {} groups, but the weight has {} input channels",
                                 (*x->shape)[1].size, groups, (*w->shape)[1].size));
  Shape shape(static_cast<std::size_t>(*rank));
  if (x->shape) shape[0] = x->shape->front();
  if (w->shape) shape[1] = w->shape->front();
  std::vector<std::int64_t> kernel(shape.size() - 2, -1);
  for (std::size_t i = 2; w->shape && i < w->shape->size(); ++i) kernel[i - 2] = (*w->shape)[i].size;
  if (!w->shape && args.node.get_ints("kernel_shape").empty()) return std::vector<Type>{product_type(*x, shape)};
  EDGEC_ASSIGN(const WindowSpec spec, window_spec(args.node, shape.size() - 2, kernel));
  const Shape input = x->shape ? *x->shape : shape;
  EDGEC_ASSIGN(const Shape spatial, window_output(spec, std::span(input).subspan(2)));
  std::ranges::copy(spatial, shape.begin() + 2);
  return std::vector<Type>{product_type(*x, shape)};
}

Result<ConvShape> shape_of(const Node &node, const Dims &x, const Dims &w) {
  if (x.size() < 3 || w.size() != x.size())
    return bad_input(fmt::format("Conv of an input of rank {} and a weight of rank {}", x.size(), w.size()));
  ConvShape shape;
  shape.rank = static_cast<int>(x.size()) - 2;
  shape.batch = x[0];
  shape.in_channels = x[1];
  shape.out_channels = w[0];
  shape.groups = node.get_int("group", 1);
  EDGEC_CHECK(check_groups(shape.groups, shape.in_channels, shape.out_channels));
  if (w[1] != shape.group_in())
    return bad_input(fmt::format("the weight has {} input channels, expected {}", w[1], shape.group_in()));
  EDGEC_ASSIGN(const WindowSpec spec, window_spec(node, x.size() - 2, std::span(w).subspan(2)));
  EDGEC_ASSIGN(shape.axes, place_windows(spec, x));
  EDGEC_CHECK(check_sizes(shape));
  return shape;
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  return evaluate_conv(args, shape_of, ConvKind::forward);
}

Result<Kernel> prepare(const PrepareArgs &args) { return prepare_conv(args, shape_of, ConvKind::forward); }

std::optional<WeightInfo> weights(const Node &node, std::span<const Type *const>) {
  return WeightInfo{.bias = 2, .channel_axis = 0, .groups = node.get_int("group", 1), .output_axis = 1};
}

Axes axes(const AxisArgs &args) { return conv_axes(args, 0); }

Cost cost(const Node &node, std::span<const Type *const> inputs, std::span<const Type *const>) {
  return conv_cost(node, inputs, shape_of);
}

const OpDef defs[] = {{.name = "Conv",
                       .summary = "convolution",
                       .integer_reference = true,
                       .quant = QuantRule::own_scale,
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare,
                       .weights = weights,
                       .as_conv = shape_of,
                       .axes = axes,
                       .recut = conv_recut,
                       .cost = cost}};

} // namespace

std::span<const OpDef> conv() { return defs; }

} // namespace edgec::ops
