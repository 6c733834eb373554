// Clip: bounds are attributes before opset 11, optional operands after.
#include <limits>

#include "ops/shared/elementwise.h"

namespace edgec::ops {
namespace {

template <class T>
std::pair<T, T> bounds(const EvalArgs &args) {
  T low = std::numeric_limits<T>::lowest(), high = std::numeric_limits<T>::max();
  if constexpr (std::is_floating_point_v<T>) {
    low = static_cast<T>(args.node.get_float("min", -std::numeric_limits<float>::infinity()));
    high = static_cast<T>(args.node.get_float("max", std::numeric_limits<float>::infinity()));
  }
  if (const Tensor *min = args.input(1); min && min->size() == 1) low = Elements<T>(*min)[0];
  if (const Tensor *max = args.input(2); max && max->size() == 1) high = Elements<T>(*max)[0];
  return {low, high};
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_same));
  const Tensor &x = *args.inputs[0];
  return with_arithmetic(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto [low, high] = bounds<T>(args);
    std::vector<T> out(static_cast<std::size_t>(x.size()));
    const Elements<T> in(x);
    // NaN stays; where the bounds cross, the upper one wins.
    for (std::size_t i = 0; i < out.size(); ++i) {
      const T raised = in[i] < low ? low : in[i];
      out[i] = raised > high ? high : raised;
    }
    return one(make_tensor(x.dtype, x.dims, std::move(out)));
  });
}

Result<Kernel> prepare(const PrepareArgs &args) {
  if (!args.input(0) || !args.outputs[0]) return unsupported("no operand");
  const auto constant = [&](std::size_t i) { return !args.input(i) || (args.constant(i) && !args.input(i)->quant); };
  if (!constant(1) || !constant(2)) return unsupported("only constant bounds");
  const Tensor *operands[] = {nullptr, args.constant(1), args.constant(2)};
  const auto [low, high] = bounds<float>({.node = args.node, .opset = args.opset, .inputs = operands});
  const auto f = [low = low, high = high](float x) EDGEC_INLINE {
    const float raised = x < low ? low : x;
    return raised > high ? high : raised;
  };
  const auto from = codes(args.inputs[0]), to = codes(args.outputs[0]);
  if (from && to) return table_kernel(args, make_table(*from, *to, f));
  if (from || to) return through_floats(args, prepare);
  if (!is_float32(args.inputs[0]) || !is_float32(args.outputs[0])) return unsupported("only float32 and 8-bit codes");
  return map_kernel<float, float>(args, f, "vector");
}

const OpDef defs[] = {{.name = "Clip",
                       .summary = "x limited to [min, max]",
                       .elementwise = true,
                       .quant = QuantRule::own_scale,
                       .infer = infer_same,
                       .reference = reference,
                       .prepare = prepare,
                       .axes = first_operand_axes}};

} // namespace

std::span<const OpDef> clip() { return defs; }

} // namespace edgec::ops
