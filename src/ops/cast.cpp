// Cast, CastLike: elements of another type.
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "ir/float8.h"
#include "kernels/half.h"
#include "ops/shared/elements.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  DType to = DType::undefined;
  if (args.node.is("CastLike")) {
    EDGEC_CHECK(require(args, 2));
    to = args.input(1)->dtype;
  } else {
    const std::int64_t wanted = args.node.get_int("to", 0);
    if (wanted <= 0 || wanted >= dtype_count) return bad_input(fmt::format("to={} is not an element type", wanted));
    to = static_cast<DType>(wanted);
  }
  return std::vector<Type>{Type::tensor(to, args.input(0)->shape)};
}

double parse(const std::string &text) {
  const std::string lower = text.size() > 1 && text[0] == '+' ? text.substr(1) : text;
  double value = NAN; // std::from_chars knows inf and nan
  std::from_chars(lower.data(), lower.data() + lower.size(), value);
  return value;
}

Tensor from_strings(const Tensor &in, DType to) {
  std::vector<double> values;
  std::vector<std::int64_t> whole; // 64-bit integers do not fit doubles
  for (const std::string &text : *in.strings) {
    values.push_back(parse(text));
    std::int64_t exact = 0;
    const auto end = std::from_chars(text.data(), text.data() + text.size(), exact);
    whole.push_back(end.ec == std::errc() ? exact : 0);
  }
  return to == DType::int64 ? Tensor::of(in.dims, std::move(whole)) : from_doubles(to, in.dims, values);
}

/// Reals as numpy writes them: as few digits as tell them apart, at least one behind the point.
std::string text_of(double value, DType dtype) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "INF" : "-INF";
  std::string text = dtype == DType::float64 ? fmt::format("{}", value) : fmt::format("{}", static_cast<float>(value));
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

Tensor to_strings(const Tensor &in) {
  std::vector<std::string> texts;
  if (is_float(in.dtype))
    for (const double value : to_doubles(in)) texts.push_back(text_of(value, in.dtype));
  else if (in.dtype == DType::boolean)
    for (const std::int64_t value : to_int64s(in)) texts.emplace_back(value != 0 ? "1" : "0");
  else
    for (const std::int64_t value : to_int64s(in)) texts.push_back(fmt::format("{}", value));
  return Tensor::of_strings(in.dims, std::move(texts));
}

/// saturate=0: what lies beyond the largest number of an 8-bit float becomes infinite, or NaN where there is no
/// infinity.
void overflow_to_special(const Tensor &in, DType to, Tensor &out) {
  const auto values = to_floats(in);
  std::vector<std::byte> codes(out.data.bytes().begin(), out.data.bytes().end());
  const bool has_infinity = to == DType::float8e5m2;
  const auto special = [&](bool negative) {
    const int sign = negative ? 0x80 : 0;
    if (has_infinity) return sign | 0x7c;
    return to == DType::float8e4m3fn ? sign | 0x7f : 0x80; // the fnuz types have one NaN
  };
  const std::uint8_t largest = has_infinity ? 0x7b : to == DType::float8e4m3fn ? 0x7e : 0x7f;
  const float limit = float8_to_float(to, largest), below = float8_to_float(to, static_cast<std::uint8_t>(largest - 1));
  for (std::size_t i = 0; i < values.size(); ++i) // half a step beyond the limit still rounds to it
    if (std::abs(values[i]) > limit + (limit - below) / 2 || std::isinf(values[i]))
      codes[i] = static_cast<std::byte>(special(values[i] < 0));
  out.data = Storage::take(std::move(codes));
}

/// round_mode of casts to powers of two other than up: the power of two below, or the nearer one (of two as near,
/// above).
Result<Tensor> to_powers(const Tensor &in, DType to, const std::string &mode) {
  if (mode != "down" && mode != "nearest") return bad_input(fmt::format("round_mode \"{}\"", mode));
  auto values = to_doubles(in);
  for (double &value : values) {
    if (!(value > 0) || std::isinf(value)) continue;
    int exponent = 0;
    const double fraction = std::frexp(value, &exponent);
    value = std::ldexp(1.0, exponent - (mode == "nearest" && fraction >= 0.75 ? 0 : 1));
  }
  return from_doubles(to, in.dims, values);
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  const Tensor &in = *args.inputs[0];
  const DType to = types[0].dtype;
  if (in.dtype == to) return one(in);
  if (to == DType::complex64 || to == DType::complex128 || in.dtype == DType::complex64 ||
      in.dtype == DType::complex128)
    return unsupported("complex numbers are not supported");
  if (in.dtype == DType::string) return one(from_strings(in, to));
  if (to == DType::string) return one(to_strings(in));
  if (const std::string mode = args.node.get_string("round_mode", "up"); to == DType::float8e8m0 && mode != "up") {
    EDGEC_ASSIGN(Tensor powers, to_powers(in, to, mode));
    return one(std::move(powers));
  }
  Tensor out = is_float(in.dtype) ? from_doubles(to, in.dims, to_doubles(in)) : from_int64s(to, in.dims, to_int64s(in));
  const bool eight_bits = is_float(to) && bits(to) == 8 && to != DType::float8e8m0;
  if (eight_bits && args.node.get_int("saturate", 1) == 0) overflow_to_special(in, to, out);
  return one(std::move(out));
}

/// Between float32 and the half types.
Result<Kernel> prepare(const PrepareArgs &args) {
  if (!args.input(0) || !args.outputs[0]) return unsupported("no operand");
  const DType from = args.inputs[0]->dtype, to = args.outputs[0]->dtype;
  const bool widens = is_half(from) && to == DType::float32, narrows = from == DType::float32 && is_half(to);
  if (args.inputs[0]->quant || !(widens || narrows)) return unsupported("only float32 and half precision");
  Kernel kernel;
  kernel.inputs = {args.layouts[0]};
  kernel.output = args.layouts[0];
  kernel.description = "vector";
  const std::int64_t count = *element_count(*args.inputs[0]->concrete());
  kernel.run = [=, how = Run{args.isa, args.threads}](const KernelIo &io) {
    if (widens) return widen(io.inputs[0], from, reinterpret_cast<float *>(io.outputs[0]), count, how);
    narrow(reinterpret_cast<const float *>(io.inputs[0]), to, io.outputs[0], count, how);
  };
  return kernel;
}

OpDef cast_op(std::string_view name, int since) {
  return {.name = name,
          .since = since,
          .summary = "elements of another type",
          .elementwise = true,
          .infer = infer,
          .reference = reference,
          .prepare = prepare,
          .axes = first_operand_axes};
}

const OpDef defs[] = {cast_op("Cast", 1), cast_op("CastLike", 15)};

} // namespace

std::span<const OpDef> cast() { return defs; }

} // namespace edgec::ops
