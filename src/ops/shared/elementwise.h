// References and fast forms of operators that compute each output element from the operands' elements there.
#pragma once

#include <vector>

#include "kernels/fast/dispatch.h"
#include "ops/shared/broadcast.h"
#include "ops/shared/elements.h"
#include "ops/shared/prepare.h"
#include "ops/shared/shape.h"

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

/// A kernel y[i] = f(x[i]) of `In` and `Out` elements in any layout.
template <class In, class Out, class F>
Kernel map_kernel(const PrepareArgs &args, F f, std::string description) {
  Kernel kernel;
  kernel.inputs = {args.layouts[0]};
  kernel.output = args.layouts[0];
  kernel.description = std::move(description);
  const std::int64_t count = *element_count(*args.inputs[0]->concrete());
  kernel.run = [f, count, how = Run{args.isa, args.threads}](const KernelIo &io) {
    const auto *x = reinterpret_cast<const In *>(io.inputs[0]);
    auto *y = reinterpret_cast<Out *>(io.outputs[0]);
    fast::dispatch(how, count, 8192, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      for (std::int64_t i = first; i < last; ++i) y[i] = f(x[i]);
    });
  };
  return kernel;
}

/// A kernel that looks codes up in a table.
inline Kernel table_kernel(const PrepareArgs &args, const CodeTable &table) {
  Kernel kernel;
  kernel.inputs = {args.layouts[0]};
  kernel.output = args.layouts[0];
  kernel.description = "table";
  const std::int64_t count = *element_count(*args.inputs[0]->concrete());
  kernel.run = [table, count, how = Run{args.isa, args.threads}](const KernelIo &io) {
    apply_table(table, io.inputs[0], io.outputs[0], count, how);
  };
  return kernel;
}

/// The fast form of a function of one number: a loop over floats, or a table of codes.
template <class F>
Result<Kernel> prepare_unary(const PrepareArgs &args) {
  if (!args.input(0) || !args.outputs[0]) return unsupported("no operand");
  const F f(args.node);
  const auto from = codes(args.inputs[0]), to = codes(args.outputs[0]);
  if (from && to) return table_kernel(args, make_table(*from, *to, [&](float x) { return f(x); }));
  if (from || to) return through_floats(args, prepare_unary<F>);
  if (!is_float32(args.inputs[0]) || !is_float32(args.outputs[0])) return unsupported("only float32 and 8-bit codes");
  return map_kernel<float, float>(args, f, "vector");
}

/// A kernel y = f(a, b) with broadcasting.
template <class In, class Out, class F>
Result<Kernel> pair_kernel(const PrepareArgs &args, F f) {
  EDGEC_ASSIGN(Pair found, pair(args));
  Kernel kernel{found.wanted, found.layout, 0, 0, "vector", nullptr};
  kernel.run = [f, rows = std::move(found.rows), how = Run{args.isa, args.threads}](const KernelIo &io) {
    const auto *a = reinterpret_cast<const In *>(io.inputs[0]);
    const auto *b = reinterpret_cast<const In *>(io.inputs[1]);
    auto *y = reinterpret_cast<Out *>(io.outputs[0]);
    const std::int64_t sa = rows.steps()[0], sb = rows.steps()[1];
    rows.each(how.threads, 8192, [&](const Rows<3>::Steps &at, std::int64_t first, std::int64_t last) {
      const In *p = a + at[0] + first * sa, *q = b + at[1] + first * sb;
      Out *to = y + at[2] + first;
      fast::dispatch({how.isa, 1}, last - first, INT64_MAX, [=](std::int64_t begin, std::int64_t end) EDGEC_INLINE {
        if (sa == 1 && sb == 1)
          for (std::int64_t i = begin; i < end; ++i) to[i] = f(p[i], q[i]);
        else if (sa == 1 && sb == 0)
          for (std::int64_t i = begin; i < end; ++i) to[i] = f(p[i], q[0]);
        else if (sa == 0 && sb == 1)
          for (std::int64_t i = begin; i < end; ++i) to[i] = f(p[0], q[i]);
        else
          for (std::int64_t i = begin; i < end; ++i) to[i] = f(p[i * sa], q[i * sb]);
      });
    });
  };
  return kernel;
}

template <class F>
Result<Kernel> prepare_binary(const PrepareArgs &args) {
  if (args.inputs.size() != 2 || !args.inputs[0] || !args.inputs[1] || !args.outputs[0])
    return unsupported("two operands only");
  if (args.inputs[0]->quant || args.inputs[1]->quant || args.outputs[0]->quant)
    return through_floats(args, prepare_binary<F>);
  if (!is_float32(args.inputs[0]) || !is_float32(args.inputs[1])) return unsupported("only float32 and 8-bit codes");
  return pair_kernel<float, float>(args, F(args.node));
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
