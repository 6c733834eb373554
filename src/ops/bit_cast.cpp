// BitCast: the same bits as another type.
#include <fmt/format.h>

#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  const std::int64_t wanted = args.node.get_int("to", 0);
  if (wanted <= 0 || wanted >= dtype_count) return bad_input(fmt::format("to={} is not an element type", wanted));
  const auto to = static_cast<DType>(wanted);
  if (in.dtype != DType::undefined && (bits(in.dtype) != bits(to) || bits(to) == 0))
    return bad_input(fmt::format("{} and {} have different numbers of bits", name(in.dtype), name(to)));
  return std::vector<Type>{Type::tensor(to, in.shape)};
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  Tensor out = *args.inputs[0];
  out.dtype = types[0].dtype;
  return one(std::move(out));
}

const OpDef defs[] = {{.name = "BitCast",
                       .since = 26,
                       .summary = "the same bits as another type",
                       .elementwise = true,
                       .infer = infer,
                       .reference = reference,
                       .axes = elementwise_axes}};

} // namespace

std::span<const OpDef> bit_cast() { return defs; }

} // namespace edgec::ops
