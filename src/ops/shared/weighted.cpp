#include "ops/shared/weighted.h"

#include <fmt/format.h>

#include "kernels/fast/conv.h"
#include "kernels/reference/conv.h"
#include "ops/shared/followers.h"
#include "ops/shared/integer.h"

namespace edgec::ops {
namespace {

constexpr std::int64_t largest_tensor = std::int64_t{1} << 40; // elements

Dims output_dims(const ConvShape &shape) {
  Dims dims{shape.batch, shape.out_channels};
  for (int i = 3 - shape.rank; i < 3; ++i) dims.push_back(shape.axes[static_cast<std::size_t>(i)].out);
  return dims;
}

Result<Tensor> evaluate_integer(const EvalArgs &args, const ConvShape &shape, ConvKind kind) {
  const Tensor &x = *args.input(0);
  const int channel_axis = kind == ConvKind::forward ? 0 : 1;
  EDGEC_ASSIGN(const IntegerConv conv,
               integer_conv({*args.input_types[0], *args.input_types[1], *args.input(1), channel_axis, args.input(2),
                             *args.output_types[0], shape.out_channels}));
  const Dims dims = output_dims(shape);
  const DType dtype = conv.output.dtype;
  std::vector<std::byte> y(byte_size(dtype, element_count(dims).value_or(0)));
  if (kind == ConvKind::forward)
    reference::conv(shape, conv, x.data.data(), y.data());
  else
    reference::conv_transpose(shape, conv, x.data.data(), y.data());
  return Tensor::of_bytes(dtype, dims, std::move(y));
}

Result<Kernel> float_conv(const ConvShape &shape, std::span<const float> w, std::span<const float> bias,
                          std::span<const fast::FloatPostOp> post_ops, Run run) {
  return fast::conv(shape, w, bias, post_ops, run);
}

Result<Kernel> float_conv_transpose(const ConvShape &shape, std::span<const float> w, std::span<const float> bias,
                                    std::span<const fast::FloatPostOp> post_ops, Run run) {
  return fast::conv_transpose(shape, w, bias, post_ops, run);
}

/// Weight and bias, if there is one, come at run time.
Result<Kernel> prepare_runtime_weights(const PrepareArgs &args, ConvShapeOf shape_of, ConvKind kind) {
  const Type *x = args.input(0), *w = args.input(1), *bias = args.input(2);
  for (const Type *type : {x, w, bias})
    if (type && (type->quant || type->dtype != DType::float32)) return unsupported("weights at run time are float");
  EDGEC_ASSIGN(const ConvShape shape, shape_of(args.node, *x->concrete(), *w->concrete()));
  if (bias && *bias->concrete() != Dims{shape.out_channels}) return unsupported("no bias per channel");
  const Run run{args.isa, args.threads};
  return kind == ConvKind::forward ? fast::conv(shape, bias != nullptr, run)
                                   : fast::conv_transpose(shape, bias != nullptr, run);
}

} // namespace

Type product_type(const Type &data, std::optional<Shape> shape) {
  return Type::tensor(data.is_quantized() ? DType::undefined : data.dtype, std::move(shape));
}

Status check_groups(std::int64_t groups, std::int64_t in_channels, std::int64_t out_channels) {
  if (groups < 1 || in_channels % groups != 0 || out_channels % groups != 0)
    return bad_input(
        fmt::format("{} groups do not divide {} input and {} output channels", groups, in_channels, out_channels));
  return {};
}

Status check_sizes(const ConvShape &shape) {
  const auto fits = [](Dims dims) {
    const auto count = element_count(dims);
    return count && *count <= largest_tensor;
  };
  const auto &[D, H, W] = shape.axes;
  if (!fits({shape.batch, shape.in_channels, D.in, H.in, W.in}) ||
      !fits({shape.batch, shape.out_channels, D.out, H.out, W.out}) ||
      !fits({shape.out_channels, shape.group_in(), D.kernel, H.kernel, W.kernel}))
    return resource_error("the tensors of the convolution are too large");
  return {};
}

Tensor from_floats(DType dtype, Dims dims, std::vector<float> values) {
  if (dtype == DType::float32) return Tensor::of(std::move(dims), std::move(values));
  const std::vector<double> doubles(values.begin(), values.end());
  return from_doubles(dtype, std::move(dims), doubles);
}

Result<std::vector<RuntimeValue>> evaluate_conv(const EvalArgs &args, ConvShapeOf shape_of, ConvKind kind) {
  const Tensor *x = args.input(0), *w = args.input(1), *bias = args.input(2);
  if (!x || !w) return bad_input("an input or a weight is missing");
  EDGEC_ASSIGN(const ConvShape shape, shape_of(args.node, x->dims, w->dims));
  EDGEC_ASSIGN(const bool integer, quantized_operands(args.input_types[0], args.input_types[1]));
  if (integer) {
    EDGEC_ASSIGN(Tensor y, evaluate_integer(args, shape, kind));
    return std::vector<RuntimeValue>{std::move(y)};
  }
  if (!is_float(x->dtype) || !is_float(w->dtype) || (bias && !is_float(bias->dtype)))
    return unsupported(fmt::format("a convolution of {} and {}", name(x->dtype), name(w->dtype)));
  if (bias && bias->size() != shape.out_channels)
    return bad_input(fmt::format("the bias has {} elements, expected {}", bias->size(), shape.out_channels));
  const Dims dims = output_dims(shape);
  std::vector<float> y(static_cast<std::size_t>(element_count(dims).value_or(0)));
  const std::vector<float> xs = to_floats(*x), ws = to_floats(*w),
                           biases = bias ? to_floats(*bias) : std::vector<float>{};
  if (kind == ConvKind::forward)
    reference::conv(shape, xs, ws, biases, y);
  else
    reference::conv_transpose(shape, xs, ws, biases, y);
  return std::vector<RuntimeValue>{from_floats(x->dtype, dims, std::move(y))};
}

Result<Kernel> prepare_conv(const PrepareArgs &args, ConvShapeOf shape_of, ConvKind kind) {
  const Tensor *w = args.constant(1), *bias = args.constant(2);
  if (!args.input(0) || !args.input(1)) return unsupported("no operands");
  if (!w || (args.input(2) && !bias)) return prepare_runtime_weights(args, shape_of, kind);
  EDGEC_ASSIGN(const ConvShape shape, shape_of(args.node, *args.input(0)->concrete(), w->dims));
  EDGEC_ASSIGN(const bool integer, quantized_operands(args.input(0), args.input(1)));
  const Run run{args.isa, args.threads};
  if (integer) {
    const int channel_axis = kind == ConvKind::forward ? 0 : 1;
    EDGEC_ASSIGN(const IntegerConv conv, integer_conv({*args.input(0), *args.input(1), *w, channel_axis, bias,
                                                       *args.outputs[0], shape.out_channels}));
    EDGEC_ASSIGN(Kernel kernel,
                 kind == ConvKind::forward ? fast::conv(shape, conv, run) : fast::conv_transpose(shape, conv, run));
    kernel.followers = identity_followers(args);
    return kernel;
  }
  if (args.input(0)->dtype != DType::float32 || w->dtype != DType::float32 || (bias && bias->dtype != DType::float32))
    return unsupported("no fast convolution of other types than float");
  if (bias && bias->size() != shape.out_channels)
    return bad_input(fmt::format("the bias has {} elements", bias->size()));
  const auto prepare = kind == ConvKind::forward ? float_conv : float_conv_transpose;
  return with_followers(args, [&](std::span<const fast::FloatPostOp> post_ops) {
    return prepare(shape, w->as<float>(), bias ? bias->as<float>() : std::span<const float>{}, post_ops, run);
  });
}

Axes conv_axes(const AxisArgs &args, int weight_axis) {
  Axes axes;
  if (!args.input(0) || !args.input(0)->shape || !args.input(1) || !args.input(1)->shape) return axes;
  const Shape &x = *args.input(0)->shape, &w = *args.input(1)->shape;
  const std::int64_t groups = args.node.get_int("group", 1);
  if (x.size() < 2 || w.size() < 2 || !x[1].is_known() || !w[0].is_known() || !w[1].is_known() || groups < 1)
    return axes;
  if (x[0].is_known()) axes.links.push_back({.count = x[0].size});
  const int term_axis = 1 - weight_axis;
  const std::int64_t rows = w[static_cast<std::size_t>(weight_axis)].size;
  const std::int64_t channels = rows * (weight_axis == 1 ? groups : 1), terms = x[1].size;
  if (terms % groups != 0 || channels % groups != 0) return {};
  if (args.input(2)) axes.links.push_back({.input = 2, .output_axis = 1, .count = channels});
  if (groups == 1) {
    axes.links.push_back({.input = 1, .input_axis = weight_axis, .output_axis = 1, .count = channels});
    axes.ties.push_back({.input_axis = 1, .other_axis = term_axis, .count = terms});
    return axes;
  }
  // Whole groups are cut: axis 0 of the weight holds them one after another, output channels or (transposed) inputs.
  const std::int64_t block = w[0].size / groups;
  axes.ties.push_back(
      {.input_axis = 1, .other_axis = 0, .block = terms / groups, .other_block = block, .count = groups});
  if (weight_axis == 0) {
    axes.links.push_back({.input = 1, .output_axis = 1, .count = channels});
    return axes;
  }
  for (std::int64_t k = 0; k < block; ++k) // each row of a group meets all of the group's output channels
    axes.links.push_back(
        {.input = 1, .input_offset = k, .stride = block, .output_axis = 1, .repeat = rows, .count = groups});
  return axes;
}

Result<Recut> conv_recut(const CutArgs &args) {
  const std::int64_t groups = args.node.get_int("group", 1);
  const AxisCut *cut = args.cut(false, 0, 1);
  Recut out;
  if (groups == 1 || !cut) return out;
  const std::int64_t block = (*args.input(0)->shape)[1].size / groups;
  out.attributes.push_back({"group", static_cast<std::int64_t>(cut->kept.size()) / block});
  return out;
}

Cost conv_cost(const Node &node, std::span<const Type *const> inputs, ConvShapeOf shape_of) {
  if (inputs.size() < 2 || !inputs[0] || !inputs[1]) return {};
  const auto x = inputs[0]->concrete(), w = inputs[1]->concrete();
  if (!x || !w) return {};
  const auto shape = shape_of(node, *x, *w);
  return {shape ? shape->macs() : 0};
}

} // namespace edgec::ops
