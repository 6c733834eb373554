#include "ops/shared/integer.h"

#include <cmath>

#include <fmt/format.h>

#include "kernels/requantize.h"

namespace edgec::ops {
namespace {

Result<std::vector<float>> weight_scales(const Type &weight, int rank, int channel_axis, std::int64_t channels) {
  const Quant &quant = *weight.quant;
  if (quant.block > 0) return unsupported("weights with blocked scales");
  if (quant.scales.empty()) return bad_input("weights without a scale");
  if (quant.scales.size() == 1) return std::vector<float>(static_cast<std::size_t>(channels), quant.scales.front());
  if (quant.axis != (channel_axis + rank) % rank)
    return unsupported(fmt::format("weight scales along axis {}, expected {}", quant.axis, channel_axis));
  if (channels % static_cast<std::int64_t>(quant.scales.size()) != 0)
    return bad_input(fmt::format("{} weight scales for {} channels", quant.scales.size(), channels));
  std::vector<float> scales;
  for (std::int64_t c = 0; c < channels; ++c)
    scales.push_back(quant.scales[static_cast<std::size_t>(c) % quant.scales.size()]);
  return scales;
}

Result<std::vector<std::int32_t>> bias_codes(const Tensor *bias, std::int64_t channels) {
  if (!bias) return std::vector<std::int32_t>{};
  if (bias->dtype != DType::int32)
    return unsupported(fmt::format("an integer operator needs an int32 bias, found {}", name(bias->dtype)));
  const auto codes = bias->as<std::int32_t>();
  if (codes.size() == 1) return std::vector<std::int32_t>(static_cast<std::size_t>(channels), codes[0]);
  if (static_cast<std::int64_t>(codes.size()) != channels)
    return bad_input(fmt::format("the bias has {} elements, expected {}", codes.size(), channels));
  return std::vector<std::int32_t>(codes.begin(), codes.end());
}

} // namespace

Result<Codes> codes_of(const Type &type) {
  if (!type.quant || (type.dtype != DType::uint8 && type.dtype != DType::int8))
    return unsupported(fmt::format("expected 8-bit codes, found {}", to_string(type)));
  const Quant &quant = *type.quant;
  if (quant.scales.size() != 1 || quant.zero_points.size() != 1)
    return unsupported(fmt::format("expected one scale for the tensor, found {}", to_string(type)));
  const CodeRange range = CodeRange::of(type.dtype);
  if (quant.zero_point() < range.low || quant.zero_point() > range.high)
    return bad_input(fmt::format("zero point {} is not {}", quant.zero_point(), name(type.dtype)));
  return Codes{type.dtype, quant.scale(), quant.zero_point()};
}

Result<bool> quantized_operands(const Type *data, const Type *weight) {
  const bool first = data && data->is_quantized(), second = weight && weight->is_quantized();
  if (first != second) return unsupported("only one of data and weight is quantized");
  return first;
}

Result<std::vector<std::int16_t>> centred_codes(const Tensor &tensor, const Quant &quant) {
  if (!is_integer(tensor.dtype) || bits(tensor.dtype) > 8)
    return unsupported(fmt::format("expected codes of at most 8 bits, found {}", name(tensor.dtype)));
  if (quant.block > 0) return unsupported("weights with blocked scales");
  const std::vector<std::int64_t> codes = to_int64s(tensor);
  std::size_t inner = codes.size(), count = 1; // code i belongs to zero point i / inner % count
  if (quant.zero_points.size() > 1) {
    if (quant.axis < 0 || quant.axis >= tensor.rank() ||
        tensor.dims[quant.axis] != static_cast<std::int64_t>(quant.zero_points.size()))
      return bad_input(fmt::format("{} zero points do not fit axis {}", quant.zero_points.size(), quant.axis));
    inner = 1;
    for (int i = quant.axis + 1; i < tensor.rank(); ++i) inner *= static_cast<std::size_t>(tensor.dims[i]);
    count = quant.zero_points.size();
  }
  const CodeRange range = CodeRange::of(tensor.dtype);
  for (const std::int32_t zero_point : quant.zero_points)
    if (zero_point < range.low || zero_point > range.high)
      return bad_input(fmt::format("zero point {} is not {}", zero_point, name(tensor.dtype)));
  std::vector<std::int16_t> centred(codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const std::int32_t zero_point = quant.zero_points.empty() ? 0 : quant.zero_points[i / inner % count];
    centred[i] = static_cast<std::int16_t>(codes[i] - zero_point);
  }
  return centred;
}

Result<IntegerOutput> integer_output(const Type &data, const Type &weight, int rank, int channel_axis,
                                     const Tensor *bias, const Type &output, std::int64_t channels, float alpha) {
  IntegerOutput result;
  EDGEC_ASSIGN(const Codes from, codes_of(data));
  EDGEC_ASSIGN(const std::vector<float> scales, weight_scales(weight, rank, channel_axis, channels));
  EDGEC_ASSIGN(result.bias, bias_codes(bias, channels));
  result.dtype = output.dtype;
  float to = 1;
  if (output.is_quantized()) {
    EDGEC_ASSIGN(const Codes codes, codes_of(output));
    result.zero_point = codes.zero_point;
    to = codes.scale;
  } else if (output.dtype != DType::float32) {
    return unsupported(fmt::format("quantized operands with an output of {}", to_string(output)));
  }
  for (const float scale : scales) result.scales.push_back(requantize_scale(alpha * from.scale, scale, to));
  return result;
}

Result<IntegerConv> integer_conv(const IntegerOperands &o) {
  IntegerConv conv;
  EDGEC_ASSIGN(conv.output, integer_output(o.data, o.weight, o.weights.rank(), o.channel_axis, o.bias, o.output,
                                           o.channels, o.alpha));
  EDGEC_ASSIGN(conv.weights, centred_codes(o.weights, *o.weight.quant));
  EDGEC_ASSIGN(const Codes data, codes_of(o.data));
  conv.input = data.dtype;
  conv.input_zero_point = data.zero_point;
  return conv;
}

} // namespace edgec::ops
