// Arithmetic of two numbers, and of any number of them, with broadcasting.
#include <algorithm>

#include "ops/shared/elementwise.h"

namespace edgec::ops {
namespace {

#define EDGEC_BINARY(Name, real, integer)                                                                              \
  struct Name {                                                                                                        \
    explicit Name(const Node &) {}                                                                                     \
    template <class T>                                                                                                 \
    EDGEC_INLINE T operator()(T a, T b) const {                                                                        \
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
EDGEC_BINARY(Max, a != a || a > b ? a : b, a > b ? a : b)
EDGEC_BINARY(Min, a != a || a < b ? a : b, a < b ? a : b)
EDGEC_BINARY(BitwiseAnd, a, a &b)
EDGEC_BINARY(BitwiseOr, a, a | b)
EDGEC_BINARY(BitwiseXor, a, a ^ b)
#undef EDGEC_BINARY

/// Integer division truncates; by zero it gives 0, and the smallest number by -1 wraps.
struct Div {
  explicit Div(const Node &) {}
  template <class T>
  EDGEC_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return a / b;
    else if (b == T{0})
      return T{0};
    else if (std::is_signed_v<T> && b == static_cast<T>(-1))
      return static_cast<T>(0 - static_cast<std::uint64_t>(a));
    else
      return static_cast<T>(a / b);
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
    const auto count = static_cast<std::uint64_t>(b); // a negative count is beyond all widths
    if (left) return count >= 64 ? T{0} : static_cast<T>(static_cast<std::uint64_t>(a) << count);
    if (count >= 64) return a < T{0} ? static_cast<T>(-1) : T{0};
    if constexpr (std::is_integral_v<T>)
      return static_cast<T>(a >> count);
    else
      return a;
  }
};

struct PRelu {
  explicit PRelu(const Node &) {}
  template <class T>
  EDGEC_INLINE T operator()(T x, T slope) const {
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
    return one(
        Tensor::of(dims, broadcast_apply<float, float>(a, b, dims, [](float x, float y) { return std::pow(x, y); })));
  if (is_float(a.dtype) || is_float(b.dtype))
    return one(from_doubles(
        a.dtype, dims, broadcast_apply<double, double>(a, b, dims, [](double x, double y) { return std::pow(x, y); })));
  return one(from_int64s(a.dtype, dims, broadcast_apply<std::int64_t, std::int64_t>(a, b, dims, integer_power)));
}

// ---- Add and Mul of codes: onnxruntime's QLinearAdd and QLinearMul

struct PairCodes {
  Codes a, b, y;
};
/// Both operands and the result as 8-bit codes of one dtype; unsupported otherwise.
Result<PairCodes> pair_codes(std::span<const Type *const> inputs, const Type *output) {
  const auto a = codes(inputs.size() == 2 ? inputs[0] : nullptr), b = codes(inputs.size() == 2 ? inputs[1] : nullptr),
             y = codes(output);
  if (!a || !b || !y || a->dtype != y->dtype || b->dtype != y->dtype)
    return unsupported("only 8-bit codes of one type, one scale each");
  return PairCodes{*a, *b, *y};
}

void apply(const QuantizedAdd &p, const std::byte *a, const std::byte *b, bool one_b, std::byte *y, std::int64_t count,
           Run run) {
  add(p, a, b, one_b, y, count, run);
}
void apply(const QuantizedMul &p, const std::byte *a, const std::byte *b, bool one_b, std::byte *y, std::int64_t count,
           Run run) {
  mul(p, a, b, one_b, y, count, run);
}

template <class F, class Quantized>
Result<std::vector<RuntimeValue>> codes_reference(const EvalArgs &args) {
  const auto quantized = [](const Type *type) { return type && type->quant; };
  if (std::ranges::none_of(args.input_types, quantized) && std::ranges::none_of(args.output_types, quantized))
    return binary_reference<F>(args);
  EDGEC_ASSIGN(const PairCodes found,
               pair_codes(args.input_types, args.output_types.empty() ? nullptr : args.output_types[0]));
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_broadcast));
  const Dims dims = *types[0].concrete();
  std::vector<std::byte> operands[2];
  for (std::size_t k = 0; k < 2; ++k) {
    operands[k].resize(static_cast<std::size_t>(*element_count(dims)));
    BroadcastIndex at(args.inputs[k]->dims, dims);
    for (std::byte &code : operands[k]) code = args.inputs[k]->data.data()[at.next()];
  }
  std::vector<std::byte> out(operands[0].size());
  apply(Quantized(found.a, found.b, found.y), operands[0].data(), operands[1].data(), false, out.data(),
        static_cast<std::int64_t>(out.size()), {});
  return one(Tensor::of_bytes(found.y.dtype, dims, std::move(out)));
}

/// Rows in which the first operand is one code are computed in parts with that code repeated: the formula of Add treats
/// its operands differently.
template <class F, class Quantized>
Result<Kernel> prepare_codes(const PrepareArgs &args) {
  const auto found = pair_codes(args.inputs, args.outputs[0]);
  if (!found) return prepare_binary<F>(args);
  EDGEC_ASSIGN(Pair space, pair(args));
  Kernel kernel{space.wanted, space.layout, 0, 0, "vector codes", nullptr};
  kernel.run = [p = Quantized(found->a, found->b, found->y), rows = std::move(space.rows),
                how = Run{args.isa, args.threads}](const KernelIo &io) {
    const std::int64_t sa = rows.steps()[0], sb = rows.steps()[1];
    rows.each(how.threads, 16384, [&](const Rows<3>::Steps &at, std::int64_t first, std::int64_t last) {
      const std::byte *a = io.inputs[0] + at[0] + first * sa, *b = io.inputs[1] + at[1] + first * sb;
      std::byte *y = io.outputs[0] + at[2] + first;
      if (sa == 1 && sb <= 1) return apply(p, a, b, sb == 0, y, last - first, {how.isa, 1});
      constexpr std::int64_t part = 512;
      std::byte left[part], right[part];
      for (std::int64_t start = 0; start < last - first; start += part) {
        const std::int64_t size = std::min(part, last - first - start);
        for (std::int64_t i = 0; i < size; ++i) {
          left[i] = a[(start + i) * sa];
          right[i] = b[(start + i) * sb];
        }
        apply(p, left, right, false, y + start, size, {how.isa, 1});
      }
    });
  };
  return kernel;
}

template <class F>
OpDef binary(std::string_view name, int since, std::string_view summary, QuantRule quant = QuantRule::float_only) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .elementwise = true,
          .quant = quant,
          .data_operands = OperandSet::all(),
          .infer = infer_broadcast,
          .reference = binary_reference<F>,
          .prepare = std::is_same_v<F, BitwiseAnd> || std::is_same_v<F, BitwiseOr> || std::is_same_v<F, BitwiseXor> ||
                             std::is_same_v<F, BitShift>
                         ? nullptr
                         : prepare_binary<F>,
          .axes = elementwise_axes};
}

template <class F, class Quantized>
OpDef with_codes(OpDef def) {
  def.integer_reference = true;
  def.reference = codes_reference<F, Quantized>;
  def.prepare = prepare_codes<F, Quantized>;
  return def;
}

template <class F>
OpDef variadic(std::string_view name, std::string_view summary) {
  OpDef def = binary<F>(name, 1, summary);
  def.reference = variadic_reference<F>;
  return def;
}

OpDef with_reference(OpDef def, decltype(OpDef::reference) reference, decltype(OpDef::infer) infer) {
  def.reference = reference;
  def.prepare = nullptr;
  def.infer = infer;
  return def;
}

constexpr auto own = QuantRule::own_scale;
constexpr auto none = QuantRule::not_data;

const OpDef defs[] = {
    with_codes<Add, QuantizedAdd>(binary<Add>("Add", 1, "a + b", own)),
    binary<BitShift>("BitShift", 11, "bits moved to the left or right", none),
    binary<BitwiseAnd>("BitwiseAnd", 18, "bits set in both", none),
    binary<BitwiseOr>("BitwiseOr", 18, "bits set in either", none),
    binary<BitwiseXor>("BitwiseXor", 18, "bits set in one of both", none),
    binary<Div>("Div", 1, "a / b", own),
    binary<Mod>("Mod", 10, "remainder of a / b"),
    with_codes<Mul, QuantizedMul>(binary<Mul>("Mul", 1, "a * b", own)),
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
