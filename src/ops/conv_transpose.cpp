// ConvTranspose: the convolution's transpose, with ONNX's output_padding and output_shape.
#include <algorithm>

#include <fmt/format.h>

#include "ops/shared/weighted.h"
#include "ops/shared/window.h"

namespace edgec::ops {
namespace {

struct Spec {
  WindowSpec window;
  std::vector<std::int64_t> output_padding, output_shape; ///< output_shape: empty where not given
};

Result<Spec> read_spec(const Node &node, std::size_t rank, std::span<const std::int64_t> kernel) {
  Spec spec;
  EDGEC_ASSIGN(spec.window, window_spec(node, rank, kernel));
  spec.output_padding = node.get_ints("output_padding");
  if (spec.output_padding.empty()) spec.output_padding.assign(rank, 0);
  spec.output_shape = node.get_ints("output_shape");
  if (spec.output_shape.size() == rank + 2) // some exporters name all axes
    spec.output_shape.erase(spec.output_shape.begin(), spec.output_shape.begin() + 2);
  if (spec.output_padding.size() != rank || (!spec.output_shape.empty() && spec.output_shape.size() != rank))
    return bad_input(fmt::format("output_padding and output_shape need {} entries", rank));
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t limit = std::max(spec.window.stride[i], spec.window.dilation[i]);
    if (spec.output_padding[i] < 0 || spec.output_padding[i] >= limit)
      return bad_input(
          fmt::format("output_padding {} is not below stride or dilation {}", spec.output_padding[i], limit));
    if (!spec.output_shape.empty() && (spec.output_shape[i] < 0 || spec.output_shape[i] > (std::int64_t{1} << 40)))
      return bad_input(fmt::format("output_shape {} is out of range", spec.output_shape[i]));
  }
  return spec;
}

/// in and out are the transposed convolution's own; see ConvShape.
Result<Window> place(const Spec &spec, std::size_t i, std::int64_t in) {
  const WindowSpec &w = spec.window;
  if (in < 0 || in > (std::int64_t{1} << 40) || w.kernel[i] < 0) return bad_input("an axis has no known size");
  if (in > 0 && w.stride[i] > (std::int64_t{1} << 60) / in) return bad_input("strides are out of range");
  Window axis{in, 0, w.kernel[i], w.stride[i], w.dilation[i], w.pad_begin[i], w.pad_end[i]};
  const std::int64_t full = axis.stride * (in - 1) + spec.output_padding[i] + axis.reach() + 1;
  const bool same = w.auto_pad == AutoPad::same_upper || w.auto_pad == AutoPad::same_lower;
  if (!spec.output_shape.empty() || same) {
    // SAME cuts what is more than in * stride and adds nothing where there is less, as ONNX's shape inference has it.
    const std::int64_t wanted =
        same && spec.output_shape.empty() ? std::min(in * axis.stride, full) : spec.output_shape[i];
    const std::int64_t total = std::max<std::int64_t>(full - wanted, 0);
    axis.pad_begin = w.auto_pad == AutoPad::same_upper ? total / 2 : total - total / 2;
    axis.pad_end = total - axis.pad_begin;
    axis.out = wanted;
    return axis;
  }
  if (w.auto_pad == AutoPad::valid) axis.pad_begin = axis.pad_end = 0;
  axis.out = full - axis.pad_begin - axis.pad_end;
  if (axis.out < 0) return bad_input(fmt::format("the output would have {} elements along an axis", axis.out));
  return axis;
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  const Type *x = args.input(0), *w = args.input(1);
  if (!x || !w) return bad_input("ConvTranspose needs an input and a weight");
  if (!w->shape || (x->rank() && *x->rank() != *w->rank())) return std::vector<Type>{product_type(*x, std::nullopt)};
  if (*w->rank() < 3) return bad_input(fmt::format("ConvTranspose of rank {}, expected at least 3", *w->rank()));
  Shape shape(w->shape->size());
  if (x->shape) shape[0] = x->shape->front();
  const std::int64_t groups = args.node.get_int("group", 1);
  if (const Dim &out = (*w->shape)[1]; out.is_known() && groups > 0 && out.size < (std::int64_t{1} << 40) / groups)
    shape[1] = Dim::known(out.size * groups);
  std::vector<std::int64_t> kernel;
  for (std::size_t i = 2; i < shape.size(); ++i) kernel.push_back((*w->shape)[i].size);
  EDGEC_ASSIGN(const Spec spec, read_spec(args.node, kernel.size(), kernel));
  for (std::size_t i = 0; x->shape && i < kernel.size(); ++i)
    if ((*x->shape)[i + 2].is_known() && spec.window.kernel[i] > 0) {
      EDGEC_ASSIGN(const Window axis, place(spec, i, (*x->shape)[i + 2].size));
      shape[i + 2] = Dim::known(axis.out);
    }
  return std::vector<Type>{product_type(*x, shape)};
}

} // namespace

Result<ConvShape> conv_transpose_shape(const Node &node, const Dims &x, const Dims &w) {
  if (x.size() < 3 || w.size() != x.size())
    return bad_input(fmt::format("ConvTranspose of an input of rank {} and a weight of rank {}", x.size(), w.size()));
  const std::size_t rank = x.size() - 2;
  if (rank > 3) return unsupported(fmt::format("{} spatial axes, at most 3 can be run", rank));
  EDGEC_ASSIGN(const Spec spec, read_spec(node, rank, std::span(w).subspan(2)));
  ConvShape shape;
  shape.rank = static_cast<int>(rank);
  shape.batch = x[0];
  shape.in_channels = x[1];
  shape.groups = node.get_int("group", 1);
  if (shape.groups < 1 || w[1] > (std::int64_t{1} << 40) / shape.groups) return bad_input("group is out of range");
  shape.out_channels = w[1] * shape.groups;
  EDGEC_CHECK(check_groups(shape.groups, shape.in_channels, shape.out_channels));
  if (w[0] != x[1]) return bad_input(fmt::format("the weight has {} input channels, expected {}", w[0], x[1]));
  for (std::size_t i = 0; i < rank; ++i) {
    EDGEC_ASSIGN(shape.axes[3 - rank + i], place(spec, i, x[2 + i]));
  }
  EDGEC_CHECK(check_sizes(shape));
  return shape;
}

namespace {

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  return evaluate_conv(args, conv_transpose_shape, ConvKind::transposed);
}

Result<Kernel> prepare(const PrepareArgs &args) {
  return prepare_conv(args, conv_transpose_shape, ConvKind::transposed);
}

std::optional<WeightInfo> weights(const Node &node, std::span<const Type *const>) {
  return WeightInfo{.bias = 2, .channel_axis = 1, .groups = node.get_int("group", 1), .output_axis = 1};
}

Axes axes(const AxisArgs &args) { return conv_axes(args, 1); }

Cost cost(const Node &, std::span<const Type *const> inputs, std::span<const Type *const>) {
  if (inputs.size() < 2 || !inputs[0] || !inputs[1]) return {};
  const auto x = inputs[0]->concrete(), w = inputs[1]->concrete();
  if (!x || !w) return {};
  const auto count = element_count(*x), per_input = element_count(std::span(*w).subspan(1)); // each input meets a row
  return {count && per_input ? static_cast<double>(*count) * static_cast<double>(*per_input) : 0};
}

const OpDef defs[] = {{.name = "ConvTranspose",
                       .summary = "transposed convolution",
                       .integer_reference = true,
                       .quant = QuantRule::own_scale,
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare,
                       .weights = weights,
                       .axes = axes,
                       .recut = conv_recut,
                       .cost = cost}};

} // namespace

std::span<const OpDef> conv_transpose() { return defs; }

} // namespace edgec::ops
