// Arithmetic of two numbers, and of any number of them, with broadcasting.
#include <fmt/format.h>

#include "ops/_elementwise.h"

namespace edgec::ops {
namespace {

#define EDGEC_BINARY(Name, real, integer)                                                                              \
  struct Name {                                                                                                        \
    explicit Name(const Node &) {}                                                                                     \
    template <class T>                                                                                                 \
    T operator()(T a, T b) const {                                                                                     \
      if constexpr (std::is_floating_point_v<T>) {                                                                     \
        return real;                                                                                                   \
      } else {                                                                                                         \
        [[maybe_unused]] const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);              \
        return static_cast<T>(integer);                                                                                \
      }                                                                                                                \
    }                                                                                                                  \
  };

/// Integers wrap, so they are added as unsigned ones.
EDGEC_BINARY(Add, a + b, x + y)
EDGEC_BINARY(Sub, a - b, x - y)
EDGEC_BINARY(Mul, a *b, x *y)
EDGEC_BINARY(Max, std::isnan(a) || a > b ? a : b, a > b ? a : b)
EDGEC_BINARY(Min, std::isnan(a) || a < b ? a : b, a < b ? a : b)
EDGEC_BINARY(BitwiseAnd, a, a &b)
EDGEC_BINARY(BitwiseOr, a, a | b)
EDGEC_BINARY(BitwiseXor, a, a ^ b)
#undef EDGEC_BINARY

/// Integer division truncates; by zero it gives 0, and the smallest number by -1 wraps.
struct Div {
  explicit Div(const Node &) {}
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) return a / b;
    else if (b == T{0}) return T{0};
    else if (std::is_signed_v<T> && b == static_cast<T>(-1)) return static_cast<T>(0 - static_cast<std::uint64_t>(a));
    else return static_cast<T>(a / b);
  }
};

/// The remainder has the divisor's sign, with fmod=1 the dividend's.
struct Mod {
  bool fmod;
  explicit Mod(const Node &node) : fmod(node.get_int("fmod", 0) != 0) {}
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      const T remainder = std::fmod(a, b);
      return !fmod && remainder != T{0} && (remainder < T{0}) != (b < T{0}) ? remainder + b : remainder;
    } else {
      if (b == T{0} || (std::is_signed_v<T> && b == static_cast<T>(-1))) return T{0};
      const T remainder = static_cast<T>(a % b);
      return !fmod && remainder != T{0} && (remainder < T{0}) != (b < T{0}) ? static_cast<T>(remainder + b) : remainder;
    }
  }
};

struct BitShift {
  bool left;
  explicit BitShift(const Node &node) : left(node.get_string("direction", "LEFT") == "LEFT") {}
  template <class T>
  T operator()(T a, T b) const {
    const auto count = static_cast<std::uint64_t>(b);
    if (count >= 64) return T{0};
    const auto bits = static_cast<std::uint64_t>(a);
    return static_cast<T>(left ? bits << count : bits >> count);
  }
};

struct PRelu {
  explicit PRelu(const Node &) {}
  template <class T>
  T operator()(T x, T slope) const {
    return x < T{0} ? static_cast<T>(x * slope) : x;
  }
};

template <class F>
Result<std::vector<RuntimeValue>> variadic_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_broadcast));
  const F f(args.node);
  const Dims dims = *types[0].concrete();
  const DType dtype = args.inputs[0]->dtype;
  return with_arithmetic(dtype, [&](auto zero) {
    using T = decltype(zero);
    const Elements<T> first(*args.inputs[0]);
    std::vector<T> sum(static_cast<std::size_t>(*element_count(dims)));
    BroadcastIndex at(args.inputs[0]->dims, dims);
    for (T &value : sum) value = first[at.next()];
    for (std::size_t k = 1; k < args.inputs.size(); ++k) {
      const Elements<T> operand(*args.inputs[k]);
      BroadcastIndex other(args.inputs[k]->dims, dims);
      for (T &value : sum) value = f(value, operand[other.next()]);
    }
    return one(make_tensor(dtype, dims, std::move(sum)));
  });
}

template <class F>
Result<std::vector<RuntimeValue>> mean_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(auto sum, variadic_reference<F>(args));
  auto values = to_doubles(*sum[0].tensor);
  for (double &value : values) value /= static_cast<double>(args.inputs.size());
  return one(from_doubles(sum[0].tensor->dtype, sum[0].tensor->dims, values));
}

/// Pow: the exponent may have another element type; the result has the base's.
Result<std::vector<Type>> infer_pow(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  EDGEC_ASSIGN(auto shape, broadcast_operands(args, 0, 2));
  return std::vector<Type>{Type::tensor(args.input(0)->dtype, std::move(shape))};
}

std::int64_t integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  std::uint64_t result = 1, square = static_cast<std::uint64_t>(base);
  for (auto left = static_cast<std::uint64_t>(exponent); left > 0; left >>= 1, square *= square)
    if (left & 1U) result *= square;
  return static_cast<std::int64_t>(result);
}

Result<std::vector<RuntimeValue>> pow_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_pow));
  const Dims dims = *types[0].concrete();
  const Tensor &a = *args.inputs[0], &b = *args.inputs[1];
  if (a.dtype == DType::float32)
    return one(Tensor::of(dims, broadcast_apply<float, float>(a, b, dims, [](float x, float y) { return std::pow(x, y); })));
  if (is_float(a.dtype) || is_float(b.dtype))
    return one(from_doubles(a.dtype, dims, broadcast_apply<double, double>(a, b, dims, [](double x, double y) { return std::pow(x, y); })));
  return one(from_int64s(a.dtype, dims, broadcast_apply<std::int64_t, std::int64_t>(a, b, dims, integer_power)));
}

constexpr int every[] = {-1};

template <class F>
OpDef binary(std::string_view name, int since, std::string_view summary, QuantRule quant = QuantRule::float_only) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .elementwise = true,
          .quant = quant,
          .data_operands = every,
          .infer = infer_broadcast,
          .reference = binary_reference<F>,
          .axes = elementwise_axes};
}

template <class F>
OpDef variadic(std::string_view name, std::string_view summary) {
  OpDef def = binary<F>(name, 1, summary);
  def.reference = variadic_reference<F>;
  return def;
}

OpDef with_reference(OpDef def, decltype(OpDef::reference) reference, decltype(OpDef::infer) infer) {
  def.reference = reference;
  def.infer = infer;
  return def;
}

constexpr auto own = QuantRule::own_scale;
constexpr auto none = QuantRule::not_data;

const OpDef defs[] = {
    binary<Add>("Add", 1, "a + b", own),
    binary<BitShift>("BitShift", 11, "bits moved to the left or right", none),
    binary<BitwiseAnd>("BitwiseAnd", 18, "bits set in both", none),
    binary<BitwiseOr>("BitwiseOr", 18, "bits set in either", none),
    binary<BitwiseXor>("BitwiseXor", 18, "bits set in one of both", none),
    binary<Div>("Div", 1, "a / b", own),
    binary<Mod>("Mod", 10, "remainder of a / b"),
    binary<Mul>("Mul", 1, "a * b", own),
    binary<PRelu>("PRelu", 1, "x where positive, else slope * x", own),
    binary<Sub>("Sub", 1, "a - b", own),
    variadic<Max>("Max", "largest of the operands"),
    variadic<Min>("Min", "smallest of the operands"),
    variadic<Add>("Sum", "sum of the operands"),
    with_reference(variadic<Add>("Mean", "mean of the operands"), mean_reference<Add>, infer_broadcast),
    with_reference(binary<Add>("Pow", 1, "a to the power of b"), pow_reference, infer_pow),
};

} // namespace

std::span<const OpDef> binary() { return defs; }

} // namespace edgec::ops
