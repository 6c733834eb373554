// Dropout as at inference: the input as it is.
#include "ops/shared/elements.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  return std::vector<Type>{Type{in.kind, in.dtype, in.shape, in.quant, nullptr},
                           Type::tensor(args.opset < 10 ? in.dtype : DType::boolean, in.shape)};
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  if (!args.input(0)) return bad_input("needs an operand");
  const Tensor *training = args.input(2), *ratio = args.input(1);
  const bool trains = training && training->size() == 1 && to_int64s(*training)[0] != 0;
  if (trains && (!ratio || ratio->size() != 1 || to_doubles(*ratio)[0] != 0))
    return unsupported("training mode drops elements at random");
  const Tensor &in = *args.inputs[0];
  std::vector<RuntimeValue> outputs = one(in);
  const std::vector<std::int64_t> all(static_cast<std::size_t>(in.size()), 1);
  if (args.node.outputs.size() > 1)
    outputs.emplace_back(from_int64s(args.opset < 10 ? in.dtype : DType::boolean, in.dims, all));
  return outputs;
}

Result<Kernel> prepare(const PrepareArgs &args) {
  if (args.outputs.size() > 1 && args.outputs[1]) return unsupported("the mask is wanted");
  if (args.input(2)) return unsupported("may train");
  EDGEC_ASSIGN(Kernel kernel, prepare_copy(args));
  kernel.inputs = {args.layouts[0]};
  kernel.output = args.layouts[0];
  return kernel;
}

const OpDef defs[] = {{.name = "Dropout",
                       .summary = "the input as it is (at inference)",
                       .elementwise = true,
                       .moves_data = true,
                       .quant = QuantRule::same_scale,
                       .infer = infer,
                       .reference = reference,
                       .prepare = prepare,
                       .axes = first_operand_axes}};

} // namespace

std::span<const OpDef> dropout() { return defs; }

} // namespace edgec::ops
