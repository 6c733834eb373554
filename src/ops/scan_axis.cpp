// Operators along an axis: CumSum, CumProd, Trilu.
#include <fmt/format.h>

#include "ops/shared/elements.h"
#include "ops/shared/move.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer_cumulative(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  return infer_same(args);
}

template <bool products>
Result<std::vector<RuntimeValue>> cumulative_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_cumulative));
  const Tensor &in = *args.inputs[0];
  if (args.inputs[1]->size() != 1) return bad_input("axis must be one number");
  EDGEC_ASSIGN(const int axis, normalize_axis(to_int64s(*args.inputs[1])[0], in.rank()));
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t count = in.dims[at], inner = product(in.dims, at + 1, in.dims.size()),
                     outer = product(in.dims, 0, at);
  const bool exclusive = args.node.get_int("exclusive", 0) != 0, reverse = args.node.get_int("reverse", 0) != 0;
  return with_arithmetic(in.dtype, [&](auto zero) {
    using T = decltype(zero);
    const Elements<T> x(in);
    std::vector<T> out(x.size());
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t i = 0; i < inner; ++i) {
        T sum = products ? T{1} : T{0};
        for (std::int64_t k = 0; k < count; ++k) {
          const auto place = static_cast<std::size_t>((o * count + (reverse ? count - 1 - k : k)) * inner + i);
          const T next = static_cast<T>(products ? sum * x[place] : sum + x[place]);
          out[place] = exclusive ? sum : next;
          sum = next;
        }
      }
    return one(make_tensor(in.dtype, in.dims, std::move(out)));
  });
}

Result<std::vector<Type>> infer_trilu(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (in.shape && in.shape->size() < 2)
    return bad_input(fmt::format("the operand has rank {}, expected at least 2", in.shape->size()));
  return infer_same(args);
}

Result<std::vector<RuntimeValue>> trilu_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_trilu));
  const Tensor &in = *args.inputs[0];
  if (args.input(1) && args.inputs[1]->size() != 1) return bad_input("k must be one number");
  const std::int64_t k = args.input(1) ? to_int64s(*args.inputs[1])[0] : 0;
  const bool upper = args.node.get_int("upper", 1) != 0;
  const std::int64_t columns = in.dims.back(), rows = in.dims[in.dims.size() - 2];
  std::vector<std::int64_t> sources(static_cast<std::size_t>(in.size()));
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const std::int64_t row = at / columns % rows, column = at % columns;
    const bool stays = upper ? column - row >= k : column - row <= k;
    sources[i] = stays ? at : -1;
  }
  return one(take_elements(in, in.dims, sources));
}

const OpDef defs[] = {
    {.name = "CumSum",
     .since = 11,
     .summary = "running sum along an axis",
     .infer = infer_cumulative,
     .reference = cumulative_reference<false>},
    {.name = "CumProd",
     .since = 26,
     .summary = "running product along an axis",
     .infer = infer_cumulative,
     .reference = cumulative_reference<true>},
    {.name = "Trilu",
     .since = 14,
     .summary = "upper or lower triangle, else zero",
     .infer = infer_trilu,
     .reference = trilu_reference},
};

} // namespace

std::span<const OpDef> scan_axis() { return defs; }

} // namespace edgec::ops
