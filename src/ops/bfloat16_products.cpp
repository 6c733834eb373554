// Products whose float32 operands are rounded to bfloat16 and whose sums are float32: operators of the names that they
// have without rounding, in a domain of their own. Training may compute on them; no file names them.
#include <array>

#include "kernels/fast/conv.h"
#include "kernels/fast/matmul.h"
#include "ops/registry.h"
#include "ops/shared/product.h"
#include "ops/shared/weighted.h"
#include "support/half.h"

namespace edgec::ops {
namespace {

constexpr auto narrow = fast::Operands::bfloat16;

/// What computes the same without rounding.
const OpDef &exact(const Node &node) {
  return *all_ops().find(node.op == "ConvWeightGradient" ? "edgec" : "", node.op);
}

Tensor rounded(const Tensor &x) {
  std::vector<float> values = to_floats(x);
  for (float &value : values) value = bfloat16_to_float(float_to_bfloat16(value));
  return Tensor::of(x.dims, std::move(values));
}

Status check_float32(std::span<const Type *const> operands) {
  for (const Type *type : operands)
    if (type && (type->dtype != DType::float32 || type->quant)) return unsupported("only float32");
  return {};
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(check_float32(args.inputs));
  return exact(args.node).infer(args);
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  if (!args.input(0) || !args.input(1)) return bad_input("a product of fewer than two operands");
  const std::array<Tensor, 2> factors{rounded(*args.input(0)), rounded(*args.input(1))};
  std::vector<const Tensor *> inputs(args.inputs.begin(), args.inputs.end());
  inputs[0] = &factors[0], inputs[1] = &factors[1];
  EvalArgs narrowed = args;
  narrowed.inputs = inputs;
  return exact(args.node).reference(narrowed);
}

Cost cost(const Node &node, std::span<const Type *const> inputs, std::span<const Type *const> outputs) {
  const OpDef &op = exact(node);
  return op.cost != nullptr ? op.cost(node, inputs, outputs) : Cost{};
}

template <bool transposed>
Result<Kernel> prepare_conv(const PrepareArgs &args) {
  const Dims x = *args.input(0)->concrete(), w = *args.input(1)->concrete();
  EDGEC_ASSIGN(const ConvShape shape,
               transposed ? conv_transpose_shape(args.node, x, w) : exact(args.node).as_conv(args.node, x, w));
  const bool bias = args.input(2) != nullptr;
  if (bias && *args.input(2)->concrete() != Dims{shape.out_channels}) return unsupported("no bias per channel");
  const Run run{args.isa, args.threads};
  return transposed ? fast::conv_transpose(shape, bias, run, narrow) : fast::conv(shape, bias, run, narrow);
}

Result<Kernel> prepare_conv_gradient(const PrepareArgs &args) {
  if (!args.outputs[0]) return unsupported("the bias's gradient alone");
  EDGEC_ASSIGN(
      const ConvShape shape,
      all_ops().find("", "Conv")->as_conv(args.node, *args.input(0)->concrete(), *args.outputs[0]->concrete()));
  return fast::conv_weight_gradient(shape, args.outputs.size() > 1 && args.outputs[1], {args.isa, args.threads},
                                    narrow);
}

Result<Kernel> prepare_matmul(const PrepareArgs &args) {
  EDGEC_ASSIGN(const ProductStack stack, matmul_stack(*args.input(0)->concrete(), *args.input(1)->concrete()));
  return fast::matmul({stack.shape.m, stack.shape.n, stack.shape.k, stack.a_index, stack.b_index},
                      {args.isa, args.threads}, narrow);
}

const OpDef defs[] = {{.name = "Conv",
                       .domain = "edgec.bfloat16",
                       .summary = "convolution of operands rounded to bfloat16",
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare_conv<false>,
                       .cost = cost},
                      {.name = "ConvTranspose",
                       .domain = "edgec.bfloat16",
                       .summary = "transposed convolution of operands rounded to bfloat16",
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare_conv<true>,
                       .cost = cost},
                      {.name = "ConvWeightGradient",
                       .domain = "edgec.bfloat16",
                       .summary = "the gradients of a convolution's weight and bias, of operands rounded to bfloat16",
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare_conv_gradient},
                      {.name = "MatMul",
                       .domain = "edgec.bfloat16",
                       .summary = "matrix product of operands rounded to bfloat16",
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare_matmul,
                       .cost = cost}};

} // namespace

std::span<const OpDef> bfloat16_products() { return defs; }

} // namespace edgec::ops
