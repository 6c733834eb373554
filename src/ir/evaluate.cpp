#include "ir/evaluate.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ir/scale_index.h"

namespace edgec {
namespace {

bool same_quants(const EvalArgs &args, const OpDef &op) {
  const Quant *first = nullptr;
  const auto agrees = [&](const Type *type) {
    if (!type || !type->quant) return true;
    if (!first) first = &*type->quant;
    return *first == *type->quant;
  };
  const bool outputs_quantized =
      std::ranges::all_of(args.output_types, [](const Type *t) { return !t || !t->is_tensor() || t->is_quantized(); });
  return op.moves_data && outputs_quantized && std::ranges::all_of(args.input_types, agrees) &&
         std::ranges::all_of(args.output_types, agrees);
}

} // namespace

Tensor dequantize(const Tensor &codes, const Quant &quant) {
  const ScaleIndex index(quant, codes.dims);
  const auto values = to_int64s(codes);
  std::vector<float> reals(values.size());
  for (std::size_t i = 0; i < reals.size(); ++i) {
    const std::size_t k = index(i);
    reals[i] = static_cast<float>(values[i] - quant.zero_points[k]) * quant.scales[k];
  }
  return Tensor::of(codes.dims, std::move(reals));
}

Tensor quantize(const Tensor &reals, DType dtype, const Quant &quant) {
  const ScaleIndex index(quant, reals.dims);
  const auto values = to_floats(reals);
  const auto [low, high] = integer_range(dtype);
  std::vector<std::int64_t> codes(values.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::size_t k = index(i);
    const float code = std::nearbyint(values[i] / quant.scales[k]) + static_cast<float>(quant.zero_points[k]);
    // NaN compares false with both bounds and becomes the low end.
    codes[i] = code >= static_cast<float>(high) ? high
               : code > static_cast<float>(low) ? static_cast<std::int64_t>(code)
                                                : low;
  }
  return from_int64s(dtype, reals.dims, codes);
}

Result<std::vector<RuntimeValue>> evaluate(const OpDef &op, const EvalArgs &args) {
  if (!op.reference) return unsupported(fmt::format("operator {} is known but cannot be run", op.name));
  const auto quantized = [](const Type *type) { return type && type->is_quantized(); };
  const bool plain =
      std::ranges::none_of(args.input_types, quantized) && std::ranges::none_of(args.output_types, quantized);
  if (plain || same_quants(args, op)) return op.reference(args);
  if (op.integer_reference) { // unsupported: it has none for these operands
    auto outputs = op.reference(args);
    if (outputs || outputs.error().code != Code::unsupported) return outputs;
  }

  std::vector<Tensor> reals(args.inputs.size());
  std::vector<const Tensor *> inputs(args.inputs.begin(), args.inputs.end());
  std::vector<RuntimeValue> values(args.values.begin(), args.values.end());
  std::vector<Type> types;
  types.reserve(args.inputs.size() + args.output_types.size());
  std::vector<const Type *> input_types, output_types;
  const auto as_float = [&](const Type *type) -> const Type * {
    if (!quantized(type)) return type;
    types.push_back(Type::tensor(DType::float32, type->shape));
    return &types.back();
  };
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Type *type = i < args.input_types.size() ? args.input_types[i] : nullptr;
    input_types.push_back(as_float(type));
    if (!inputs[i] || !quantized(type)) continue;
    reals[i] = dequantize(*inputs[i], *type->quant);
    inputs[i] = &reals[i];
    if (i < values.size()) values[i] = RuntimeValue(reals[i]);
  }
  for (const Type *type : args.output_types) output_types.push_back(as_float(type));
  EvalArgs inner{args.node,   args.opset,        inputs,        input_types, output_types,
                 args.policy, args.run_subgraph, args.captures, values};
  EDGEC_ASSIGN(auto outputs, op.reference(inner));
  for (std::size_t i = 0; i < outputs.size() && i < args.output_types.size(); ++i)
    if (quantized(args.output_types[i]) && outputs[i].tensor)
      outputs[i].tensor = quantize(*outputs[i].tensor, args.output_types[i]->dtype, *args.output_types[i]->quant);
  return outputs;
}

Result<std::vector<RuntimeValue>> evaluate_node(const OpDef &op, const Node &node, std::int64_t opset,
                                                std::span<const Tensor *const> inputs,
                                                std::span<const Type *const> input_types,
                                                std::span<const Type *const> output_types) {
  std::vector<Type> own(inputs.size());
  std::vector<const Type *> own_types(inputs.size()), unknown(node.outputs.size());
  std::vector<RuntimeValue> values(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]) continue;
    own[i] = Type::of(*inputs[i]);
    own_types[i] = &own[i];
    values[i].tensor = *inputs[i];
  }
  return evaluate(op, {.node = node,
                       .opset = opset,
                       .inputs = inputs,
                       .input_types = input_types.empty() ? own_types : input_types,
                       .output_types = output_types.empty() ? unknown : output_types,
                       .values = values});
}

} // namespace edgec
