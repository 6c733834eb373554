// Operators on integer codes that carry scales and zero points as operands: ConvInteger, MatMulInteger, QLinearConv,
// QLinearMatMul. They are the integer Conv and MatMul on quantized types.
#include <algorithm>

#include <fmt/format.h>

#include "ir/evaluate.h"
#include "kernels/fast/matmul.h"
#include "ops/registry.h"
#include "ops/shared/elements.h"
#include "ops/shared/product.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

/// Which operands are what: data, its zero point and scale, weight... and the result's. -1: absent.
struct Operands {
  int data, data_scale, data_zero, weight, weight_scale, weight_zero, scale, zero, bias;
};

Result<Operands> operands(const Node &node) {
  if (node.is("ConvInteger") || node.is("MatMulInteger")) return Operands{0, -1, 2, 1, -1, 3, -1, -1, -1};
  if (node.is("QLinearConv")) return Operands{0, 1, 2, 3, 4, 5, 6, 7, 8};
  return Operands{0, 1, 2, 3, 4, 5, 6, 7, -1};
}

/// The float operator that it is on quantized types.
Node plain_node(const Node &node) {
  Node plain = node;
  plain.op = node.is("ConvInteger") || node.is("QLinearConv") ? "Conv" : "MatMul";
  return plain;
}

const OpDef *plain_op(const Node &node, const OpRegistry &ops) { return ops.find("", plain_node(node).op); }

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_ASSIGN(const Operands at, operands(args.node));
  EDGEC_CHECK(require(args, at.scale < 0 ? 2 : 8));
  const OpDef *op = plain_op(args.node, args.ops ? *args.ops : all_ops());
  if (!op || !op->infer) return std::vector<Type>{};
  const auto real = [&](int i) { return Type::tensor(DType::float32, args.input(static_cast<std::size_t>(i))->shape); };
  const Type data = real(at.data), weight = real(at.weight);
  const Type *inputs[] = {&data, &weight};
  const Tensor *constants[] = {nullptr, nullptr};
  const Node plain = plain_node(args.node);
  EDGEC_ASSIGN(auto types, op->infer({.node = plain, .opset = args.opset, .inputs = inputs, .constants = constants}));
  types[0].dtype = at.zero < 0 ? DType::int32 : args.input(static_cast<std::size_t>(at.zero))->dtype;
  return types;
}

/// Scales and zero points of an operand: one, or one per channel along `axis`.
Result<Quant> quant(const EvalArgs &args, int scale, int zero, int axis) {
  Quant found{{1}, {}, -1, 0};
  if (scale >= 0) found.scales = to_floats(*args.inputs[static_cast<std::size_t>(scale)]);
  const Tensor *zeros = zero >= 0 ? args.input(static_cast<std::size_t>(zero)) : nullptr;
  for (const std::int64_t value : zeros ? to_int64s(*zeros) : std::vector<std::int64_t>{0})
    found.zero_points.push_back(static_cast<std::int32_t>(value));
  const std::size_t count = std::max(found.scales.size(), found.zero_points.size());
  if (count == 0 || (found.scales.size() != count && found.scales.size() != 1) ||
      (found.zero_points.size() != count && found.zero_points.size() != 1))
    return bad_input(fmt::format("{} scales and {} zero points", found.scales.size(), found.zero_points.size()));
  found.scales.resize(count, found.scales[0]);
  found.zero_points.resize(count, found.zero_points[0]);
  if (count > 1) found.axis = axis;
  return found;
}

/// Sums of products of codes without their zero points, as the float operator gives them exactly (doubles).
Result<std::vector<RuntimeValue>> integer_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  EDGEC_ASSIGN(const Operands at, operands(args.node));
  Tensor centred[2];
  const bool conv = args.node.is("ConvInteger");
  for (int k = 0; k < 2; ++k) {
    const Tensor &codes = *args.inputs[static_cast<std::size_t>(k)];
    // MatMulInteger's zero points: of the rows of A, of the columns of B.
    EDGEC_ASSIGN(const Quant found,
                 quant(args, -1, k == 0 ? at.data_zero : at.weight_zero, conv ? 0 : codes.rank() - (k == 0 ? 2 : 1)));
    if (!found.is_per_tensor() && (found.axis < 0 || codes.dims[static_cast<std::size_t>(found.axis)] !=
                                                         static_cast<std::int64_t>(found.scales.size())))
      return bad_input(fmt::format("{} zero points for operand {}", found.scales.size(), k));
    centred[k] = from_doubles(DType::float64, codes.dims, to_doubles(dequantize(codes, found)));
  }
  const OpDef *op = plain_op(args.node, all_ops());
  const Tensor *inputs[] = {&centred[0], &centred[1]};
  const Type real[] = {Type::of(centred[0]), Type::of(centred[1])}, wanted = Type::tensor(DType::float64);
  const Type *input_types[] = {&real[0], &real[1]}, *output_types[] = {&wanted};
  const std::vector<RuntimeValue> values{centred[0], centred[1]};
  const Node plain = plain_node(args.node);
  EDGEC_ASSIGN(auto sums, op->reference({.node = plain,
                                         .opset = args.opset,
                                         .inputs = inputs,
                                         .input_types = input_types,
                                         .output_types = output_types,
                                         .values = values}));
  return one(from_doubles(DType::int32, sums[0].tensor->dims, to_doubles(*sums[0].tensor)));
}

bool is_identity(const std::vector<std::int64_t> &index) {
  for (std::size_t i = 0; i < index.size(); ++i)
    if (index[i] != static_cast<std::int64_t>(i)) return false;
  return true;
}

/// Zero points that are one number each.
Result<Kernel> prepare_matmul_integer(const PrepareArgs &args) {
  const auto codes = [&](std::size_t operand, int zero) -> Result<fast::RuntimeCodes> {
    const DType dtype = args.inputs[operand]->dtype;
    const Type *type = args.input(static_cast<std::size_t>(zero));
    if (dtype != DType::uint8 && dtype != DType::int8) return unsupported("only codes of 8 bits");
    if (type != nullptr && element_count(*type->concrete()) != 1) return unsupported("several zero points");
    return fast::RuntimeCodes{dtype, type != nullptr ? zero : -1};
  };
  EDGEC_ASSIGN(const auto a, codes(0, 2));
  EDGEC_ASSIGN(const auto b, codes(1, 3));
  EDGEC_ASSIGN(const ProductStack stack, matmul_stack(*args.inputs[0]->concrete(), *args.inputs[1]->concrete()));
  fast::Products products{stack.shape.m, stack.shape.n, stack.shape.k, stack.a_index, stack.b_index};
  const bool one_matrix = std::ranges::all_of(products.b_index, [](std::int64_t i) { return i == 0; });
  if (one_matrix && is_identity(products.a_index)) { // rows of all products side by side
    products.m *= static_cast<std::int64_t>(products.a_index.size());
    products.a_index = products.b_index = {0};
  }
  return fast::matmul(products, a, b, {args.isa, args.threads});
}

Result<std::vector<RuntimeValue>> qlinear_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  EDGEC_ASSIGN(const Operands at, operands(args.node));
  const bool conv = args.node.is("QLinearConv");
  const Tensor &data = *args.inputs[0], &weight = *args.inputs[static_cast<std::size_t>(at.weight)];
  EDGEC_ASSIGN(const Quant x, quant(args, at.data_scale, at.data_zero, data.rank() - 2));
  EDGEC_ASSIGN(const Quant w, quant(args, at.weight_scale, at.weight_zero, conv ? 0 : weight.rank() - 1));
  EDGEC_ASSIGN(const Quant y, quant(args, at.scale, at.zero, -1));
  const Tensor *bias = at.bias >= 0 ? args.input(static_cast<std::size_t>(at.bias)) : nullptr;
  Type input_types[] = {Type::of(data), Type::of(weight), bias ? Type::of(*bias) : Type()}, output = types[0];
  input_types[0].quant = x;
  input_types[1].quant = w;
  output.quant = y;
  if (bias) { // in units of the product of both scales
    Quant units{{}, {}, w.axis < 0 ? -1 : 0, 0};
    for (const float scale : w.scales) units.scales.push_back(x.scale() * scale);
    units.zero_points.resize(units.scales.size(), 0);
    input_types[2].quant = std::move(units);
  }
  const Tensor *inputs[] = {&data, &weight, bias};
  const Type *in[] = {&input_types[0], &input_types[1], bias ? &input_types[2] : nullptr}, *out[] = {&output};
  std::vector<RuntimeValue> values{data, weight};
  if (bias) values.emplace_back(*bias);
  const std::size_t count = bias ? 3 : 2;
  Node plain = plain_node(args.node);
  plain.inputs.resize(count);
  return evaluate(*plain_op(args.node, all_ops()), {.node = plain,
                                                    .opset = args.opset,
                                                    .inputs = std::span(inputs, count),
                                                    .input_types = std::span(in, count),
                                                    .output_types = out,
                                                    .policy = args.policy,
                                                    .values = values});
}

Cost cost(const Node &node, std::span<const Type *const> inputs, std::span<const Type *const> outputs) {
  const auto at = operands(node);
  const OpDef *op = plain_op(node, all_ops());
  if (!at || op == nullptr || op->cost == nullptr || inputs.size() <= static_cast<std::size_t>(at->weight)) return {};
  const Type *const plain[] = {inputs[static_cast<std::size_t>(at->data)],
                               inputs[static_cast<std::size_t>(at->weight)]};
  return op->cost(plain_node(node), std::span(plain), outputs);
}

OpDef on_codes(std::string_view name, std::string_view summary, decltype(OpDef::reference) reference,
               decltype(OpDef::prepare) prepare = nullptr) {
  return {.name = name,
          .since = 10,
          .summary = summary,
          .quant = QuantRule::not_data,
          .infer = infer,
          .reference = reference,
          .prepare = prepare,
          .cost = cost};
}

const OpDef defs[] = {
    on_codes("ConvInteger", "convolution of codes to int32", integer_reference),
    on_codes("MatMulInteger", "product of codes to int32", integer_reference, prepare_matmul_integer),
    on_codes("QLinearConv", "convolution of quantized tensors", qlinear_reference),
    on_codes("QLinearMatMul", "product of quantized tensors", qlinear_reference),
};

} // namespace

std::span<const OpDef> integer() { return defs; }

} // namespace edgec::ops
