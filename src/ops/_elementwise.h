// References and fast forms of operators that compute each output element from the operands' elements there.
#pragma once

#include <vector>

#include "ops/_broadcast.h"
#include "ops/_elements.h"
#include "ops/_shape.h"

namespace edgec::ops {

/// Reference of a function of one number. F is made from the node and called with float, double, std::int64_t or
/// std::uint64_t; the result has the operand's element type.
template <class F>
Result<std::vector<RuntimeValue>> unary_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_same));
  const F f(args.node);
  const Tensor &x = *args.inputs[0];
  return with_arithmetic(x.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Elements<T> in(x);
    std::vector<T> out(in.size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(f(in[i]));
    return one(make_tensor(x.dtype, x.dims, std::move(out)));
  });
}

/// Elements f(a, b) of two operands broadcast to `dims`; In is what is computed on, Out what comes of it.
template <class In, class Out, class F>
std::vector<Out> broadcast_apply(const Tensor &a, const Tensor &b, const Dims &dims, F f) {
  const Elements<In> x(a), y(b);
  std::vector<Out> out(static_cast<std::size_t>(element_count(dims).value_or(0)));
  BroadcastIndex i(a.dims, dims), j(b.dims, dims);
  for (Out &value : out) {
    const In left = x[i.next()];
    value = static_cast<Out>(f(left, y[j.next()]));
  }
  return out;
}

/// Reference of a function of two numbers with broadcasting; the result has the first operand's element type.
template <class F>
Result<std::vector<RuntimeValue>> binary_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_broadcast));
  const F f(args.node);
  const Dims dims = *types[0].concrete();
  const Tensor &a = *args.inputs[0], &b = *args.inputs[1];
  return with_arithmetic(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    return one(make_tensor(a.dtype, dims, broadcast_apply<T, T>(a, b, dims, f)));
  });
}

} // namespace edgec::ops
