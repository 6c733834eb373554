// Comparisons and logic: the output is bool. Where chooses by one.
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "ops/shared/elementwise.h"
#include "ops/shared/move.h"

namespace edgec::ops {
namespace {

#define EDGEC_COMPARISON(Name, expression)                                                                             \
  struct Name {                                                                                                        \
    explicit Name(const Node &) {}                                                                                     \
    template <class T>                                                                                                 \
    EDGEC_INLINE std::uint8_t operator()(T a, T b) const {                                                             \
      return expression;                                                                                               \
    }                                                                                                                  \
  };
EDGEC_COMPARISON(Equal, a == b)
EDGEC_COMPARISON(Less, a < b)
EDGEC_COMPARISON(LessOrEqual, a <= b)
EDGEC_COMPARISON(Greater, a > b)
EDGEC_COMPARISON(GreaterOrEqual, a >= b)
EDGEC_COMPARISON(And, a != T{0} && b != T{0})
EDGEC_COMPARISON(Or, a != T{0} || b != T{0})
EDGEC_COMPARISON(Xor, (a != T{0}) != (b != T{0}))
#undef EDGEC_COMPARISON

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  EDGEC_ASSIGN(auto types, infer_broadcast(args));
  types[0].dtype = DType::boolean;
  return types;
}

Tensor bools(Dims dims, const std::vector<std::uint8_t> &values) {
  return from_int64s(DType::boolean, std::move(dims), std::vector<std::int64_t>(values.begin(), values.end()));
}

std::vector<std::uint8_t> equal_strings(const Tensor &a, const Tensor &b, const Dims &dims) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(*element_count(dims)));
  BroadcastIndex i(a.dims, dims), j(b.dims, dims);
  for (auto &value : out) {
    const std::string &left = (*a.strings)[i.next()];
    value = left == (*b.strings)[j.next()];
  }
  return out;
}

template <class F>
Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Dims dims = *types[0].concrete();
  const Tensor &a = *args.inputs[0], &b = *args.inputs[1];
  if (a.dtype == DType::string) {
    if (!std::is_same_v<F, Equal>) return bad_input("strings have no order");
    return one(bools(dims, equal_strings(a, b, dims)));
  }
  const F f(args.node);
  return with_arithmetic(a.dtype, [&](auto zero) {
    using T = decltype(zero);
    return one(bools(dims, broadcast_apply<T, std::uint8_t>(a, b, dims, f)));
  });
}

template <class F>
Result<Kernel> prepare(const PrepareArgs &args) {
  if (args.inputs.size() != 2 || !args.inputs[0] || !args.inputs[1] || !args.outputs[0])
    return unsupported("two operands only");
  if (args.inputs[0]->quant || args.inputs[1]->quant) return unsupported("no codes");
  const DType dtype = args.inputs[0]->dtype;
  const F f(args.node);
  if (dtype == DType::float32) return pair_kernel<float, std::uint8_t>(args, f);
  if (dtype == DType::int64) return pair_kernel<std::int64_t, std::uint8_t>(args, f);
  if (dtype == DType::int32) return pair_kernel<std::int32_t, std::uint8_t>(args, f);
  if (dtype == DType::boolean) return pair_kernel<std::uint8_t, std::uint8_t>(args, f);
  return unsupported("another element type");
}

template <class F>
OpDef comparison(std::string_view name, int since, std::string_view summary) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .elementwise = true,
          .quant = QuantRule::not_data,
          .data_operands = OperandSet::all(),
          .infer = infer,
          .reference = reference<F>,
          .prepare = prepare<F>,
          .axes = elementwise_axes};
}

// ---- functions of one operand

struct Not {
  explicit Not(const Node &) {}
  bool operator()(double x) const { return x == 0; }
};
struct IsNaN {
  explicit IsNaN(const Node &) {}
  bool operator()(double x) const { return std::isnan(x); }
};
struct IsInf {
  bool negative, positive;
  explicit IsInf(const Node &node)
      : negative(node.get_int("detect_negative", 1) != 0), positive(node.get_int("detect_positive", 1) != 0) {}
  bool operator()(double x) const { return std::isinf(x) && (x < 0 ? negative : positive); }
};

Result<std::vector<Type>> infer_test(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  return std::vector<Type>{Type::tensor(DType::boolean, args.input(0)->shape)};
}

template <class F>
Result<std::vector<RuntimeValue>> test_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_test));
  const F f(args.node);
  std::vector<std::uint8_t> out;
  for (const double x : to_doubles(*args.inputs[0])) out.push_back(f(x));
  return one(bools(args.inputs[0]->dims, out));
}

template <class F>
OpDef test(std::string_view name, int since, std::string_view summary) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .elementwise = true,
          .quant = QuantRule::not_data,
          .infer = infer_test,
          .reference = test_reference<F>,
          .axes = elementwise_axes};
}

// ---- Where

Result<std::vector<Type>> infer_where(const InferArgs &args) {
  EDGEC_CHECK(require(args, 3));
  const DType a = args.input(1)->dtype, b = args.input(2)->dtype;
  if (a != b && a != DType::undefined && b != DType::undefined)
    return bad_input(fmt::format("operands have different element types, {} and {}", name(a), name(b)));
  EDGEC_ASSIGN(auto shape, broadcast_operands(args, 0, 3));
  return std::vector<Type>{Type::tensor(a == DType::undefined ? b : a, std::move(shape))};
}

Result<std::vector<RuntimeValue>> where_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_where));
  const Dims dims = *types[0].concrete();
  const auto chosen = to_int64s(*args.inputs[0]);
  const Cells cells(args.inputs.subspan(1, 2));
  auto out = cells.space(dims);
  const std::size_t width = cells.width();
  BroadcastIndex condition(args.inputs[0]->dims, dims), a(args.inputs[1]->dims, dims), b(args.inputs[2]->dims, dims);
  for (std::size_t i = 0; i < out.size(); i += width) {
    const std::size_t from_a = a.next(), from_b = b.next();
    if (chosen[condition.next()] != 0)
      std::memcpy(&out[i], cells.data(0) + from_a * width, width);
    else
      std::memcpy(&out[i], cells.data(1) + from_b * width, width);
  }
  return one(cells.finish(dims, std::move(out)));
}

const OpDef defs[] = {
    comparison<Equal>("Equal", 1, "a = b"),
    comparison<Less>("Less", 1, "a < b"),
    comparison<LessOrEqual>("LessOrEqual", 12, "a <= b"),
    comparison<Greater>("Greater", 1, "a > b"),
    comparison<GreaterOrEqual>("GreaterOrEqual", 12, "a >= b"),
    comparison<And>("And", 1, "both"),
    comparison<Or>("Or", 1, "either"),
    comparison<Xor>("Xor", 1, "one of both"),
    test<Not>("Not", 1, "not x"),
    test<IsNaN>("IsNaN", 9, "whether x is not a number"),
    test<IsInf>("IsInf", 10, "whether x is infinite"),
    {.name = "Where",
     .since = 9,
     .summary = "a where the condition holds, else b",
     .elementwise = true,
     .moves_data = true,
     .quant = QuantRule::same_scale,
     .data_operands = {1, 2},
     .infer = infer_where,
     .reference = where_reference,
     .axes = elementwise_axes,
     .codes_since = 9},
};

} // namespace

std::span<const OpDef> comparison() { return defs; }

} // namespace edgec::ops
