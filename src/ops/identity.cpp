// Identity: the output is the input, of any type.
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  if (!args.input(0)) return bad_input("Identity needs an input");
  return std::vector<Type>{*args.input(0)};
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) { return std::vector<RuntimeValue>{args.values[0]}; }

const OpDef defs[] = {{.name = "Identity",
                       .summary = "the input as it is",
                       .moves_data = true,
                       .quant = QuantRule::same_scale,
                       .scales_with_channels = true,
                       .infer = infer,
                       .reference = reference,
                       .axes = first_operand_axes,
                       .codes_since = 1}};

} // namespace

std::span<const OpDef> identity() { return defs; }

} // namespace edgec::ops
