// Integer convolutions by oneDNN, where its arithmetic is reference::conv's to the bit.
//
// It converts accumulator and bias to float apart, which is exact below 2^24; rounds after adding a destination zero
// point, so the zero point is added here by a post-op after an explicit rounding; and without VNNI its 16-bit pair sums
// saturate, which a probe finds out.
#include "kernels/fast/conv_onednn.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "kernels/requantize.h"

namespace edgec::fast {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using From = OnednnArgument::From;

memory::data_type data_type(DType dtype) {
  return dtype == DType::uint8  ? memory::data_type::u8
         : dtype == DType::int8 ? memory::data_type::s8
                                : memory::data_type::f32;
}

/// The constants that oneDNN gets: s8 weights, and a bias that takes the input's zero point along where nothing is
/// padded.
struct Constants {
  std::vector<std::int8_t> weights;
  std::vector<std::int32_t> bias;
  std::int32_t source_zero_point = 0; ///< left to oneDNN
};

/// What an output channel's weights can make of any codes: int32 sums of (code - zero point) * weight lie in
/// [low, high], and products of codes as they are below `magnitude` in absolute value.
struct Reach {
  std::int64_t low = 0, high = 0, sum = 0, magnitude = 0;
  Reach(std::span<const std::int16_t> weights, const IntegerConv &conv) {
    const CodeRange range = CodeRange::of(conv.input);
    const std::int64_t least = range.low - conv.input_zero_point, most = range.high - conv.input_zero_point;
    for (const std::int64_t w : weights) {
      low += w < 0 ? w * most : w * least;
      high += w < 0 ? w * least : w * most;
      sum += w;
      magnitude += 255 * std::abs(w);
    }
  }
};

/// Whether the channel's output is the same code whatever the input is: dead channels with a large bias are.
bool is_constant(const IntegerOutput &output, std::size_t channel, const Reach &reach, std::int64_t bias) {
  if (output.dtype == DType::float32 || reach.low + bias < INT32_MIN || reach.high + bias > INT32_MAX) return false;
  const auto code = [&](std::int64_t sum) {
    return requantize(static_cast<std::int32_t>(sum), output.scales[channel], output.zero_point,
                      CodeRange::of(output.dtype));
  };
  return code(reach.low + bias) == code(reach.high + bias);
}

Result<Constants> make_constants(const ConvShape &shape, const IntegerConv &conv) {
  Constants made;
  made.weights.assign(conv.weights.begin(), conv.weights.end());
  for (std::size_t i = 0; i < conv.weights.size(); ++i)
    if (made.weights[i] != conv.weights[i]) return unsupported("weights that do not fit int8");
  for (const float scale : conv.output.scales)
    if (!std::isfinite(scale)) return unsupported("a scale that is not finite");
  const bool fold = !shape.padded();
  made.source_zero_point = fold ? 0 : conv.input_zero_point;
  const auto row = static_cast<std::size_t>(shape.group_in() * shape.taps());
  for (std::size_t c = 0; c < conv.output.scales.size(); ++c) {
    const Reach reach(std::span(conv.weights).subspan(c * row, row), conv);
    const std::int64_t bias = conv.output.bias.empty() ? 0 : conv.output.bias[c];
    const std::int64_t folded = fold ? bias - conv.input_zero_point * reach.sum : bias;
    if (reach.magnitude + std::max(std::abs(bias), std::abs(folded)) < 1 << 24) {
      made.bias.push_back(static_cast<std::int32_t>(folded));
    } else if (is_constant(conv.output, c, reach, bias)) { // without weights the sum is the bias, whatever its size
      std::fill_n(made.weights.begin() + static_cast<std::ptrdiff_t>(c * row), row, std::int8_t{0});
      made.bias.push_back(static_cast<std::int32_t>(bias));
    } else {
      return unsupported("sums beyond 2^24, which float does not hold");
    }
  }
  return made;
}

dnnl::primitive_attr make_attributes(const IntegerConv &conv, const Constants &constants) {
  dnnl::primitive_attr attributes;
  attributes.set_output_scales(1 << 1, conv.output.scales);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (constants.source_zero_point != 0) attributes.set_zero_points(DNNL_ARG_SRC, 0, {constants.source_zero_point});
  if (conv.output.dtype == DType::float32) return attributes;
  dnnl::post_ops ops;
  ops.append_eltwise(1, algorithm::eltwise_round, 0, 0);
  if (conv.output.zero_point != 0)
    ops.append_eltwise(1, algorithm::eltwise_linear, 1, static_cast<float>(conv.output.zero_point));
  attributes.set_post_ops(ops);
  return attributes;
}

/// Whether there is padding along a volume, or beside a dilated kernel.
bool pads_far(const ConvShape &shape) {
  const bool padded = std::ranges::any_of(shape.axes, [](const Window &w) { return w.pad_begin > 0 || w.pad_end > 0; });
  return padded && (shape.rank == 3 || std::ranges::any_of(shape.axes, [](const Window &w) { return w.dilation > 1; }));
}

Result<Kernel> make_kernel(const ConvShape &shape, const IntegerConv &conv, Run run) {
  EDGEC_ASSIGN(const Constants constants, make_constants(shape, conv));
  const OnednnConvShape s(shape);
  const OmpThreads scope(run.threads);
  const memory::desc src = s.activation(s.src, data_type(conv.input)),
                     dst = s.activation(s.dst, data_type(conv.output.dtype));
  const memory::desc weights(s.weights, memory::data_type::s8, memory::format_tag::any);
  const memory::desc bias(s.bias, memory::data_type::s32, memory::format_tag::x);
  EDGEC_ASSIGN(const auto descriptor, onednn_descriptor([&] {
                 const dnnl::convolution_forward::desc desc(dnnl::prop_kind::forward_inference,
                                                            algorithm::convolution_direct, src, weights, bias, dst,
                                                            s.strides, s.dilations, s.pad_begin, s.pad_end);
                 return dnnl::convolution_forward::primitive_desc(desc, make_attributes(conv, constants), cpu_engine());
               }));
  const std::string implementation = descriptor.impl_info_str();
  if (implementation.find("gemm_") != std::string::npos)
    return unsupported("oneDNN's " + implementation + " is not exact");
  if (implementation == "jit:avx512_core_amx_int8" && constants.source_zero_point != 0 && pads_far(shape))
    return unsupported("oneDNN 2.6.3 takes wrong zero points for padding by " + implementation);
  std::vector<OnednnArgument> arguments{
      {DNNL_ARG_SRC, src, From::input, 0, {}},
      {DNNL_ARG_DST, dst, From::output, 0, {}},
      {DNNL_ARG_WEIGHTS,
       {},
       From::constant,
       0,
       in_format(s.plain_weights(memory::data_type::s8, false), constants.weights.data(), descriptor.weights_desc())},
      {DNNL_ARG_BIAS, {}, From::constant, 0, in_format(bias, constants.bias.data(), bias)},
      {DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc(), From::scratch, 0, {}}};
  if (constants.source_zero_point != 0) {
    const memory::desc one({1}, memory::data_type::s32, memory::format_tag::x);
    arguments.push_back({DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC,
                         {},
                         From::constant,
                         0,
                         in_format(one, &constants.source_zero_point, one)});
  }
  Kernel kernel;
  kernel.inputs = {Layout::channels_last};
  kernel.output = Layout::channels_last;
  kernel.scratch_bytes = descriptor.scratchpad_desc().get_size();
  kernel.description = "onednn " + implementation;
  EDGEC_ASSIGN(const auto call, onednn_call<dnnl::convolution_forward>(descriptor, std::move(arguments), run.threads));
  kernel.run = [call](const KernelIo &io) { call->run(io); };
  return kernel;
}

/// Whether a 1x1 layer whose pair sums leave 16 bits comes out right, for u8 and for s8 activations.
bool probe(DType input) {
  ConvShape shape{.in_channels = 64, .out_channels = 16};
  shape.axes[2].in = shape.axes[2].out = 4;
  IntegerConv conv{
      .input = input, .weights = std::vector<std::int16_t>(64 * 16, 127), .output = {.dtype = DType::float32}};
  conv.output.scales.assign(16, 1);
  const Result<Kernel> kernel = make_kernel(shape, conv, {Isa::vnni, 1});
  if (!kernel) return false;
  const std::vector<std::byte> x(64 * 4, static_cast<std::byte>(input == DType::uint8 ? 255 : 127));
  std::vector<float> y(16 * 4), expected(16 * 4, static_cast<float>(64 * 127 * (input == DType::uint8 ? 255 : 127)));
  const std::unique_ptr<std::byte[]> storage(new std::byte[kernel->scratch_bytes + 64]);
  auto address = reinterpret_cast<std::uintptr_t>(storage.get());
  const std::byte *const inputs[] = {x.data()};
  std::byte *const outputs[] = {reinterpret_cast<std::byte *>(y.data())};
  kernel->run({inputs, outputs, storage.get() + (64 - address % 64)});
  return y == expected;
}

bool is_exact(DType input) {
  static const bool u8 = probe(DType::uint8), s8 = probe(DType::int8);
  return input == DType::uint8 ? u8 : s8;
}

} // namespace

Result<Kernel> conv_onednn(const ConvShape &shape, const IntegerConv &conv, Run run) {
  if (run.isa < Isa::vnni) return unsupported("oneDNN's integer kernels are exact only with VNNI");
  if (!is_exact(conv.input)) return unsupported("oneDNN's integer kernels are not exact on this processor");
  return make_kernel(shape, conv, run);
}

} // namespace edgec::fast
