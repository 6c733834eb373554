// Operators as a processor with AVX2 and without VNNI runs them under onnxruntime.
#include <algorithm>
#include <deque>
#include <memory>

#include "kernels/reference/saturating.h"
#include "ops/registry.h"
#include "ops/shared/integer.h"

namespace edgec {
namespace {

/// A node's operands, as both forms of an operator have them.
struct Operands {
  const Node &node;
  const Type *data, *weight; ///< null: omitted
  const Tensor *weights;     ///< null: no constant
  std::span<const Type *const> types;
  std::span<const Tensor *const> constants;
  Dims dims; ///< of the data
  const Type *output;
};

bool saturates(const Operands &o) {
  return o.data && o.weight && o.weights && o.output && o.data->is_quantized() && o.weight->is_quantized() &&
         o.data->dtype == DType::uint8 && o.weight->dtype == DType::int8;
}

/// The weights of a matrix product [k, n] as a convolution has them: [n, k].
std::vector<std::int16_t> columns_first(const std::vector<std::int16_t> &matrix, std::size_t columns) {
  std::vector<std::int16_t> turned(matrix.size());
  const std::size_t terms = matrix.size() / columns;
  for (std::size_t i = 0; i < matrix.size(); ++i) turned[i % columns * terms + i / columns] = matrix[i];
  return turned;
}

/// Error (unsupported): the operator is exact there, or has no such form.
Result<reference::SaturatingConv> saturating(const OpDef &op, const Operands &o) {
  if (!saturates(o)) return unsupported("operands that do not saturate");
  const auto info = op.weights(o.node, o.types);
  if (!info || o.node.get_int("transA", 0) != 0) return unsupported("no constant weight, or data transposed");
  EDGEC_ASSIGN(const ConvShape shape, op.as_conv(o.node, o.dims, o.weights->dims));
  if (shape.depthwise()) return unsupported("depthwise convolutions are exact");
  const Tensor *bias = info->bias && *info->bias < o.constants.size() ? o.constants[*info->bias] : nullptr;
  if (info->bias && o.node.input(*info->bias).valid() && !bias) return unsupported("a bias that is not a constant");
  if (bias && o.node.get_float("beta", 1) != 1) return unsupported("beta with quantized operands");
  EDGEC_ASSIGN(IntegerConv conv, ops::integer_conv({*o.data, *o.weight, *o.weights, info->channel_axis, bias, *o.output,
                                                    shape.out_channels, o.node.get_float("alpha", 1)}));
  if (info->channel_axis != 0) conv.weights = columns_first(conv.weights, static_cast<std::size_t>(shape.out_channels));
  return reference::SaturatingConv(shape, std::move(conv));
}

Dims output_dims(const Node &node, Dims data, const ConvShape &shape) {
  if (!node.is("Conv")) {
    data.back() = shape.out_channels;
    return data;
  }
  Dims dims{shape.batch, shape.out_channels};
  for (int i = 3 - shape.rank; i < 3; ++i) dims.push_back(shape.axes[static_cast<std::size_t>(i)].out);
  return dims;
}

Result<std::vector<RuntimeValue>> evaluate(const EvalArgs &args) {
  const OpDef &op = *all_ops().find(args.node);
  const Tensor *x = args.input(0), *w = args.input(1);
  if (!x || !w) return op.reference(args);
  const Operands operands{args.node, args.input_types[0], args.input_types[1], w, args.input_types, args.inputs,
                          x->dims,   args.output_types[0]};
  const auto conv = saturating(op, operands);
  if (!conv) return op.reference(args);
  EDGEC_ASSIGN(const ConvShape shape, op.as_conv(args.node, x->dims, w->dims));
  const Dims dims = output_dims(args.node, x->dims, shape);
  const DType dtype = args.output_types[0]->dtype;
  std::vector<std::byte> y(byte_size(dtype, element_count(dims).value_or(0))), scratch(conv->scratch_bytes());
  conv->run(x->data.data(), y.data(), scratch.data());
  return std::vector<RuntimeValue>{Tensor::of_bytes(dtype, dims, std::move(y))};
}

Result<Kernel> prepare(const PrepareArgs &args) {
  const OpDef &op = *all_ops().find(args.node);
  const auto dims = args.input(0) ? args.input(0)->concrete() : std::nullopt;
  const Operands operands{args.node,   args.input(0),  args.input(1),         args.constant(1),
                          args.inputs, args.constants, dims.value_or(Dims{}), args.outputs.front()};
  auto made = saturating(op, operands);
  if (!made) return op.prepare != nullptr ? op.prepare(args) : unsupported("no fast form");
  auto conv = std::make_shared<const reference::SaturatingConv>(*std::move(made));
  Kernel kernel;
  kernel.scratch_bytes = conv->scratch_bytes();
  kernel.description = "saturating";
  kernel.run = [conv](const KernelIo &io) { conv->run(io.inputs[0], io.outputs[0], io.scratch); };
  return kernel;
}

} // namespace

const OpRegistry &saturating_ops() {
  static const std::deque<OpDef> changed = [] {
    std::deque<OpDef> defs;
    for (const OpDef *op : all_ops().all())
      if (op->as_conv != nullptr) {
        OpDef &def = defs.emplace_back(*op);
        def.reference = evaluate;
        def.prepare = prepare;
      }
    return defs;
  }();
  static const OpRegistry registry = [] {
    std::vector<const OpDef *> ops(all_ops().all().begin(), all_ops().all().end());
    for (const OpDef &def : changed)
      *std::ranges::find_if(ops, [&](const OpDef *op) { return op->name == def.name && op->domain == def.domain; }) =
          &def;
    return OpRegistry(std::move(ops));
  }();
  registry.set_function_bodies(all_ops().function_bodies());
  return registry;
}

} // namespace edgec
