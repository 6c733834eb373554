// MaxPool, AveragePool, GlobalMaxPool, GlobalAveragePool. Codes stay codes: the largest code is the largest real;
// averages requantize.
#include <algorithm>

#include <fmt/format.h>

#include "kernels/fast/pool.h"
#include "kernels/reference/pool.h"
#include "ops/shared/integer.h"
#include "ops/shared/window.h"

namespace edgec::ops {
namespace {

/// Element type of the output: codes keep their type, for averages the quantizer chooses.
Type pooled(const Type &x, std::optional<Shape> shape, bool keeps_scale) {
  Type type = x;
  type.shape = std::move(shape);
  if (x.is_quantized() && !keeps_scale) return Type::tensor(DType::undefined, type.shape);
  return type;
}

Result<Shape> pooled_shape(const InferArgs &args, const Shape &x, bool is_global) {
  if (x.size() < 3) return bad_input(fmt::format("a pool of rank {}, expected at least 3", x.size()));
  Shape shape{x[0], x[1]};
  if (is_global) {
    shape.resize(x.size(), Dim::known(1));
    return shape;
  }
  EDGEC_ASSIGN(const WindowSpec spec, window_spec(args.node, x.size() - 2));
  EDGEC_ASSIGN(const Shape spatial, window_output(spec, std::span(x).subspan(2)));
  shape.insert(shape.end(), spatial.begin(), spatial.end());
  return shape;
}

template <bool is_global, bool keeps_scale>
Result<std::vector<Type>> infer(const InferArgs &args) {
  const Type *x = args.input(0);
  if (!x) return bad_input("a pool needs an input");
  std::optional<Shape> shape;
  if (x->shape) {
    EDGEC_ASSIGN(shape, pooled_shape(args, *x->shape, is_global));
  }
  std::vector<Type> types{pooled(*x, shape, keeps_scale)};
  if (args.node.outputs.size() > 1) types.push_back(Type::tensor(DType::int64, shape));
  return types;
}

Dims output_dims(const PoolShape &shape) {
  Dims dims{shape.batch, shape.channels};
  for (int i = 3 - shape.rank; i < 3; ++i) dims.push_back(shape.axes[static_cast<std::size_t>(i)].out);
  return dims;
}

Result<std::size_t> output_size(const PoolShape &shape) {
  const auto count = element_count(output_dims(shape));
  if (!count || *count > (std::int64_t{1} << 40)) return resource_error("the output of the pool is too large");
  return static_cast<std::size_t>(*count);
}

template <class T>
Result<std::vector<RuntimeValue>> max_pool_as(const EvalArgs &args, const PoolShape &shape) {
  EDGEC_ASSIGN(const std::size_t size, output_size(shape));
  const Tensor &x = *args.input(0);
  std::vector<T> y(size);
  const bool indexed = args.node.outputs.size() > 1;
  std::vector<std::int64_t> index(indexed ? size : 0);
  reference::max_pool(shape, x.as<T>().data(), y.data(), indexed ? index.data() : nullptr,
                      args.node.get_int("storage_order", 0) != 0);
  std::vector<RuntimeValue> values{Tensor::of(output_dims(shape), std::move(y))};
  if (indexed) values.push_back(Tensor::of(output_dims(shape), std::move(index)));
  return values;
}

template <bool is_global>
Result<std::vector<RuntimeValue>> max_pool(const EvalArgs &args) {
  const Tensor *x = args.input(0);
  if (!x) return bad_input("a pool needs an input");
  EDGEC_ASSIGN(const PoolShape shape, pool_shape(args.node, args.opset, x->dims, is_global));
  const Type &from = *args.input_types[0], *to = args.output_types.empty() ? nullptr : args.output_types[0];
  if (to && from.quant != to->quant) return unsupported("MaxPool's input and output must share their scale");
  switch (x->dtype) {
  case DType::float32: return max_pool_as<float>(args, shape);
  case DType::float64: return max_pool_as<double>(args, shape);
  case DType::uint8: return max_pool_as<std::uint8_t>(args, shape);
  case DType::int8: return max_pool_as<std::int8_t>(args, shape);
  default: break;
  }
  if (!is_float(x->dtype)) return unsupported(fmt::format("MaxPool of {}", name(x->dtype)));
  EDGEC_ASSIGN(const std::size_t size, output_size(shape));
  const auto values = to_doubles(*x);
  std::vector<double> y(size);
  reference::max_pool(shape, values.data(), y.data(), nullptr, false);
  return std::vector<RuntimeValue>{from_doubles(x->dtype, output_dims(shape), y)};
}

template <bool is_global>
Result<std::vector<RuntimeValue>> average_pool(const EvalArgs &args) {
  const Tensor *x = args.input(0);
  if (!x) return bad_input("a pool needs an input");
  EDGEC_ASSIGN(const PoolShape shape, pool_shape(args.node, args.opset, x->dims, is_global));
  EDGEC_ASSIGN(const std::size_t size, output_size(shape));
  const bool count_padding = args.node.get_int("count_include_pad", 0) != 0;
  const std::int64_t planes = shape.batch * shape.channels;
  if (args.input_types[0]->is_quantized()) {
    EDGEC_ASSIGN(const Codes from, codes_of(*args.input_types[0]));
    EDGEC_ASSIGN(const Codes to, codes_of(*args.output_types[0]));
    std::vector<std::byte> y(size);
    if (is_global)
      reference::global_average_pool(planes, shape.in_area(), from, x->data.data(), to, y.data());
    else
      reference::average_pool(shape, count_padding, from, x->data.data(), to, y.data());
    return std::vector<RuntimeValue>{Tensor::of_bytes(to.dtype, output_dims(shape), std::move(y))};
  }
  if (!is_float(x->dtype)) return unsupported(fmt::format("an average of {}", name(x->dtype)));
  const auto values = to_floats(*x);
  std::vector<float> y(size);
  if (is_global)
    reference::global_average_pool(planes, shape.in_area(), values, y);
  else
    reference::average_pool(shape, count_padding, values, y);
  return std::vector<RuntimeValue>{from_doubles(x->dtype, output_dims(shape), std::vector<double>(y.begin(), y.end()))};
}

template <bool is_global>
Result<Kernel> prepare_max(const PrepareArgs &args) {
  const Type &x = *args.inputs[0];
  if (args.isa == Isa::scalar || args.node.outputs.size() > 1) return unsupported("only the reference");
  if (x.dtype != DType::float32 && x.dtype != DType::uint8 && x.dtype != DType::int8) return unsupported("other types");
  if (x.quant != args.outputs[0]->quant) return unsupported("MaxPool's input and output must share their scale");
  EDGEC_ASSIGN(const PoolShape shape, pool_shape(args.node, args.opset, *x.concrete(), is_global));
  return fast::max_pool(shape, x.dtype, {args.isa, args.threads});
}

template <bool is_global>
Result<Kernel> prepare_average(const PrepareArgs &args) {
  const Type &x = *args.inputs[0];
  if (args.isa == Isa::scalar) return unsupported("only the reference");
  EDGEC_ASSIGN(const PoolShape shape, pool_shape(args.node, args.opset, *x.concrete(), is_global));
  const Run run{args.isa, args.threads};
  const bool count_padding = args.node.get_int("count_include_pad", 0) != 0;
  if (x.is_quantized()) {
    EDGEC_ASSIGN(const Codes from, codes_of(x));
    EDGEC_ASSIGN(const Codes to, codes_of(*args.outputs[0]));
    return is_global ? fast::global_average_pool(shape.batch, shape.channels, shape.in_area(), from, to, run)
                     : fast::average_pool(shape, count_padding, from, to, run);
  }
  if (x.dtype != DType::float32) return unsupported("other types");
  return is_global ? fast::global_average_pool(shape.batch, shape.channels, shape.in_area(), run)
                   : fast::average_pool(shape, count_padding, run);
}

/// Batch and channels. Places of the largest elements are numbers in the whole tensor: with them nothing can be cut.
Axes axes(const AxisArgs &args) {
  Axes axes;
  if (!args.input(0) || !args.input(0)->shape || args.node.outputs.size() > 1) return axes;
  const Shape &in = *args.input(0)->shape;
  for (int axis = 0; axis < 2 && axis < static_cast<int>(in.size()); ++axis)
    if (const Dim &dim = in[static_cast<std::size_t>(axis)]; dim.is_known())
      axes.links.push_back({.input_axis = axis, .output_axis = axis, .count = dim.size});
  return axes;
}

const OpDef defs[] = {{.name = "MaxPool",
                       .summary = "largest element of each window",
                       .integer_reference = true,
                       .quant = QuantRule::same_scale,
                       .scales_with_channels = true,
                       .infer = infer<false, true>,
                       .reference = max_pool<false>,
                       .prepare = prepare_max<false>,
                       .axes = axes,
                       .codes_since = 12},
                      {.name = "GlobalMaxPool",
                       .summary = "largest element of each channel",
                       .integer_reference = true,
                       .quant = QuantRule::same_scale,
                       .scales_with_channels = true,
                       .infer = infer<true, true>,
                       .reference = max_pool<true>,
                       .prepare = prepare_max<true>,
                       .axes = axes},
                      {.name = "AveragePool",
                       .summary = "mean of each window",
                       .integer_reference = true,
                       .quant = QuantRule::own_scale,
                       .scales_with_channels = true,
                       .infer = infer<false, false>,
                       .reference = average_pool<false>,
                       .prepare = prepare_average<false>,
                       .axes = axes},
                      {.name = "GlobalAveragePool",
                       .summary = "mean of each channel",
                       .integer_reference = true,
                       .quant = QuantRule::own_scale,
                       .scales_with_channels = true,
                       .infer = infer<true, false>,
                       .reference = average_pool<true>,
                       .prepare = prepare_average<true>,
                       .axes = axes}};

} // namespace

std::span<const OpDef> pool() { return defs; }

} // namespace edgec::ops
