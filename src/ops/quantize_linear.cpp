// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear: reals to codes and back, per tensor, axis or block.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "ir/float8.h"
#include "ops/shared/elements.h"
#include "ops/shared/prepare.h"
#include "ops/shared/scales.h"

namespace edgec::ops {
namespace {

Result<DType> wanted_dtype(const Node &node, DType otherwise) {
  const std::int64_t wanted = node.get_int("output_dtype", 0);
  if (wanted < 0 || wanted >= dtype_count)
    return bad_input(fmt::format("output_dtype={} is not an element type", wanted));
  return wanted == 0 ? otherwise : static_cast<DType>(wanted);
}

Result<std::vector<Type>> infer_quantize(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  EDGEC_CHECK(check_scale(args));
  EDGEC_ASSIGN(const DType dtype, wanted_dtype(args.node, args.input(2) ? args.input(2)->dtype : DType::uint8));
  return std::vector<Type>{Type::tensor(dtype, args.input(0)->shape)};
}

Result<std::vector<Type>> infer_dequantize(const InferArgs &args) {
  EDGEC_CHECK(require(args, 2));
  EDGEC_CHECK(check_scale(args));
  EDGEC_ASSIGN(const DType dtype, wanted_dtype(args.node, args.input(1)->dtype));
  return std::vector<Type>{Type::tensor(dtype, args.input(0)->shape)};
}

Result<std::vector<RuntimeValue>> quantize_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_quantize));
  const Tensor &x = *args.inputs[0], &scale = *args.inputs[1];
  const DType to = types[0].dtype;
  const ScaleIndex index = scale_index(args.node, x.dims, scale.size());
  const auto reals = to_floats(x), scales = to_floats(scale);
  const auto zeros = args.input(2) ? to_floats(*args.inputs[2]) : std::vector<float>(scales.size());
  if (zeros.size() != scales.size())
    return bad_input(fmt::format("{} zero points for {} scales", zeros.size(), scales.size()));
  if (is_float(to)) {
    std::vector<double> codes(reals.size());
    for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = reals[i] / scales[index(i)] + zeros[index(i)];
    return one(from_doubles(to, x.dims, codes));
  }
  const auto [low, high] = integer_range(to);
  std::vector<std::int64_t> codes(reals.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const float code = std::nearbyint(reals[i] / scales[index(i)]) + zeros[index(i)];
    codes[i] = code >= static_cast<float>(high) ? high
               : code > static_cast<float>(low) ? static_cast<std::int64_t>(code)
                                                : low;
  }
  return one(from_int64s(to, x.dims, codes));
}

Result<std::vector<RuntimeValue>> dequantize_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_dequantize));
  const Tensor &x = *args.inputs[0], &scale = *args.inputs[1];
  const ScaleIndex index = scale_index(args.node, x.dims, scale.size());
  const auto scales = to_floats(scale);
  const auto count = args.input(2) ? static_cast<std::size_t>(args.inputs[2]->size()) : scales.size();
  if (count != scales.size()) return bad_input(fmt::format("{} zero points for {} scales", count, scales.size()));
  std::vector<float> reals;
  const auto compute = [&](const auto &codes, const auto &zeros) {
    reals.resize(codes.size());
    index.for_each_run(x.size(), [&](std::size_t first, std::size_t run, std::size_t k, bool each) {
      for (std::size_t i = 0; i < run; ++i) {
        const std::size_t at = each ? k + i : k;
        reals[first + i] = static_cast<float>(codes[first + i] - zeros[at]) * scales[at];
      }
    });
  };
  const auto zeros = [&](auto none) { return std::vector<decltype(none)>(scales.size()); };
  if (bits(x.dtype) <= 16) // float32 holds them and their differences
    compute(to_floats(x), args.input(2) ? to_floats(*args.inputs[2]) : zeros(0.0F));
  else
    compute(to_doubles(x), args.input(2) ? to_doubles(*args.inputs[2]) : zeros(0.0));
  return one(make_tensor(types[0].dtype, x.dims, std::move(reals)));
}

/// Scale and zero point where both are constants of one element and codes have 8 bits.
std::optional<Codes> constant_codes(const PrepareArgs &args, DType dtype) {
  const Tensor *scale = args.constant(1), *zero = args.constant(2);
  if ((dtype != DType::uint8 && dtype != DType::int8) || !scale || scale->size() != 1 || scale->dtype != DType::float32)
    return std::nullopt;
  if (args.input(2) && (!zero || zero->size() != 1 || zero->dtype != dtype)) return std::nullopt;
  return Codes{dtype, to_floats(*scale)[0], zero ? static_cast<std::int32_t>(to_int64s(*zero)[0]) : 0};
}

/// Images in plain layout become channels_last: integer convolutions read them so.
Result<Kernel> prepare_quantize(const PrepareArgs &args) {
  if (!is_float32(args.input(0)) || !args.outputs[0]) return unsupported("only float32");
  const auto to = constant_codes(args, args.outputs[0]->dtype);
  if (!to) return unsupported("only 8-bit codes with one constant scale");
  const Dims dims = *args.inputs[0]->concrete();
  const std::int64_t count = *element_count(dims);
  const Run how{args.isa, args.threads};
  Kernel kernel{{args.layouts[0]}, args.layouts[0], 0, 0, "vector codes", nullptr};
  if (dims.size() == 4 && !layouts_agree(dims) && args.layouts[0] == Layout::plain) {
    kernel.output = Layout::channels_last;
    kernel.run = [=, to = *to, area = dims[2] * dims[3]](const KernelIo &io) {
      quantize_channels_last(reinterpret_cast<const float *>(io.inputs[0]), to, io.outputs[0], dims[0], dims[1], area,
                             how);
    };
    return kernel;
  }
  kernel.run = [=, to = *to](const KernelIo &io) {
    quantize(reinterpret_cast<const float *>(io.inputs[0]), to, io.outputs[0], count, how);
  };
  return kernel;
}

Result<Kernel> prepare_dequantize(const PrepareArgs &args) {
  if (!args.input(0) || !is_float32(args.outputs[0])) return unsupported("only to float32");
  const auto from = constant_codes(args, args.inputs[0]->dtype);
  if (!from) return unsupported("only 8-bit codes with one constant scale");
  Kernel kernel{{args.layouts[0]}, args.layouts[0], 0, 0, "vector codes", nullptr};
  kernel.run = [from = *from, count = *element_count(*args.inputs[0]->concrete()),
                how = Run{args.isa, args.threads}](const KernelIo &io) {
    dequantize(io.inputs[0], from, reinterpret_cast<float *>(io.outputs[0]), count, how);
  };
  return kernel;
}

// ---- DynamicQuantizeLinear: uint8 codes with the scale and zero point of the data's own range

Result<std::vector<Type>> infer_dynamic(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  return std::vector<Type>{Type::tensor(DType::uint8, args.input(0)->shape), Type::tensor(DType::float32, Dims{}),
                           Type::tensor(DType::uint8, Dims{})};
}

Result<std::vector<RuntimeValue>> dynamic_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_dynamic));
  const auto reals = to_floats(*args.inputs[0]);
  float low = 0, high = 0; // the range takes zero in
  for (const float real : reals) {
    low = std::min(low, real);
    high = std::max(high, real);
  }
  const float scale = high == low ? 1 : (high - low) / 255;
  const float zero = std::clamp(std::nearbyint(-low / scale), 0.0F, 255.0F);
  std::vector<std::uint8_t> codes(reals.size());
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(reals[i] / scale) + zero, 0.0F, 255.0F));
  auto outputs = one(Tensor::of(args.inputs[0]->dims, std::move(codes)));
  outputs.emplace_back(Tensor::scalar(scale));
  outputs.emplace_back(Tensor::scalar(static_cast<std::uint8_t>(zero)));
  return outputs;
}

/// Least and largest element and 0.
std::pair<float, float> range_with_zero(const float *reals, std::int64_t count) {
  constexpr std::int64_t lanes = 16; // side by side, so that compilers make vectors of them
  float low[lanes] = {}, high[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      low[lane] = reals[i + lane] < low[lane] ? reals[i + lane] : low[lane];
      high[lane] = reals[i + lane] > high[lane] ? reals[i + lane] : high[lane];
    }
  for (; i < count; ++i) low[0] = std::min(low[0], reals[i]), high[0] = std::max(high[0], reals[i]);
  return {*std::ranges::min_element(low), *std::ranges::max_element(high)};
}

Result<Kernel> prepare_dynamic(const PrepareArgs &args) {
  if (!is_float32(args.input(0)) || !args.outputs[0] || !args.outputs[1] || !args.outputs[2])
    return unsupported("only float32, and all three results");
  Kernel kernel{{}, Layout::plain, 0, 0, "vector codes", nullptr};
  kernel.run = [count = *element_count(*args.inputs[0]->concrete()),
                how = Run{args.isa, args.threads}](const KernelIo &io) {
    const auto *reals = reinterpret_cast<const float *>(io.inputs[0]);
    const auto [low, high] = range_with_zero(reals, count);
    const float scale = high == low ? 1 : (high - low) / 255;
    const float zero = std::clamp(std::nearbyint(-low / scale), 0.0F, 255.0F);
    *reinterpret_cast<float *>(io.outputs[1]) = scale;
    *reinterpret_cast<std::uint8_t *>(io.outputs[2]) = static_cast<std::uint8_t>(zero);
    quantize(reals, {DType::uint8, scale, static_cast<std::int32_t>(zero)}, io.outputs[0], count, how);
  };
  return kernel;
}

OpDef border(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
             decltype(OpDef::reference) reference, decltype(OpDef::prepare) prepare = nullptr) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .elementwise = true,
          .integer_reference = true, // its codes are plain integers, whatever the types around say
          .quant = QuantRule::not_data,
          .infer = infer,
          .reference = reference,
          .prepare = prepare,
          .axes = first_operand_axes};
}

OpDef dynamic() {
  OpDef def = border("DynamicQuantizeLinear", 11, "reals to uint8 codes by their own range", infer_dynamic,
                     dynamic_reference, prepare_dynamic);
  def.elementwise = def.integer_reference = false;
  return def;
}

const OpDef defs[] = {
    border("QuantizeLinear", 10, "reals to codes: saturate(round(x / scale) + zero point)", infer_quantize,
           quantize_reference, prepare_quantize),
    border("DequantizeLinear", 10, "codes to reals: (code - zero point) * scale", infer_dequantize,
           dequantize_reference, prepare_dequantize),
    dynamic(),
};

} // namespace

std::span<const OpDef> quantize_linear() { return defs; }

} // namespace edgec::ops
