// float32 convolutions by oneDNN whose weights come at run time, and the gradients of convolutions.
#include "kernels/fast/conv_onednn.h"
#include "kernels/fast/dispatch.h"
#include "kernels/fast/reordered.h"
#include "kernels/isa.h"

namespace edgec::fast {
namespace {

using dnnl::memory;
constexpr auto f32 = memory::data_type::f32;
constexpr auto direct = dnnl::algorithm::convolution_direct;

memory::data_type type_of(Operands operands) { return operands == Operands::bfloat16 ? memory::data_type::bf16 : f32; }

/// A convolution's tensors: activations as edgec keeps them or, where oneDNN has slow code only for those, as it likes.
struct Formats {
  const OnednnConvShape &s;
  bool free = false;

  [[nodiscard]] memory::desc src(memory::data_type type) const { return activation(s.src, type); }
  [[nodiscard]] memory::desc dst(memory::data_type type) const { return activation(s.dst, type); }
  [[nodiscard]] memory::desc weights(memory::data_type type) const {
    return {s.weights, type, memory::format_tag::any};
  }

private:
  [[nodiscard]] memory::desc activation(const memory::dims &dims, memory::data_type type) const {
    return free ? memory::desc(dims, type, memory::format_tag::any) : s.activation(dims, type);
  }
};

template <class Create>
auto descriptor_for(const OnednnConvShape &s, Create &&create) {
  auto found = onednn_descriptor([&] { return create(Formats{s}); });
  return found ? found : onednn_descriptor([&] { return create(Formats{s, true}); });
}

dnnl::primitive_attr own_scratch() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::convolution_forward::primitive_desc forward(const Formats &f, dnnl::prop_kind kind, memory::data_type operands,
                                                  memory::data_type output) {
  const OnednnConvShape &s = f.s;
  return {dnnl::convolution_forward::desc(kind, direct, f.src(operands), f.weights(operands), f.dst(output), s.strides,
                                          s.dilations, s.pad_begin, s.pad_end),
          own_scratch(), cpu_engine()};
}

/// What the gradients' descriptors ask for.
dnnl::convolution_forward::primitive_desc training(const Formats &f, memory::data_type operands) {
  return forward(f, dnnl::prop_kind::forward_training, operands, operands);
}

Status check_instructions(Operands operands, Run run) {
  if (run.isa == Isa::scalar) return unsupported("no vector instructions");
  if (operands == Operands::bfloat16 && !has_bfloat16(run.isa)) return unsupported("no instructions on bfloat16");
  return {};
}

/// Adds input 2 to every position of a channels_last output.
Kernel with_bias(Kernel kernel, const ConvShape &shape, Run run) {
  kernel.inputs.push_back(Layout::plain);
  const std::int64_t rows = shape.batch * shape.out_area(), channels = shape.out_channels;
  kernel.run = [product = std::move(kernel.run), rows, channels, run](const KernelIo &io) {
    product(io);
    const auto *bias = reinterpret_cast<const float *>(io.inputs[2]);
    auto *y = reinterpret_cast<float *>(io.outputs[0]);
    dispatch(run, rows, 8192 / channels + 1, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      for (std::int64_t row = first; row < last; ++row)
        for (std::int64_t c = 0; c < channels; ++c) y[row * channels + c] += bias[c];
    });
  };
  return kernel;
}

/// The convolution that a transposed one undoes: its data is the other's output.
ConvShape undone(ConvShape shape) {
  std::swap(shape.in_channels, shape.out_channels);
  for (Window &axis : shape.axes) {
    std::swap(axis.in, axis.out);
    axis.pad_end = axis.stride * (axis.out - 1) + axis.reach() + 1 - axis.pad_begin - axis.in;
  }
  return shape;
}

} // namespace

Result<Kernel> conv(const ConvShape &shape, bool bias, Run run, Operands operands) {
  EDGEC_CHECK(check_instructions(operands, run));
  const OnednnConvShape s(shape);
  const OmpThreads scope(run.threads);
  EDGEC_ASSIGN(const auto descriptor, descriptor_for(s, [&](const Formats &f) {
                 return forward(f, dnnl::prop_kind::forward_inference, type_of(operands), f32);
               }));
  Reordered steps(run.threads);
  EDGEC_CHECK(steps.input(DNNL_ARG_SRC, s.activation(s.src, f32), descriptor.src_desc(), 0));
  EDGEC_CHECK(steps.input(DNNL_ARG_WEIGHTS, s.plain_weights(f32, false), descriptor.weights_desc(), 1));
  EDGEC_CHECK(steps.output(DNNL_ARG_DST, s.activation(s.dst, f32), descriptor.dst_desc(), 0));
  EDGEC_ASSIGN(Kernel kernel, steps.kernel<dnnl::convolution_forward>(descriptor));
  kernel.inputs = {Layout::channels_last, Layout::plain};
  kernel.output = Layout::channels_last;
  return bias ? with_bias(std::move(kernel), shape, run) : kernel;
}

Result<Kernel> conv_transpose(const ConvShape &shape, bool bias, Run run, Operands operands) {
  EDGEC_CHECK(check_instructions(operands, run));
  const OnednnConvShape s(undone(shape));
  const OmpThreads scope(run.threads);
  const auto type = type_of(operands);
  EDGEC_ASSIGN(const auto descriptor, descriptor_for(s, [&](const Formats &f) {
                 const dnnl::convolution_backward_data::desc desc(direct, f.src(f32), f.weights(type), f.dst(type),
                                                                  s.strides, s.dilations, s.pad_begin, s.pad_end);
                 return dnnl::convolution_backward_data::primitive_desc(desc, own_scratch(), cpu_engine(),
                                                                        training(f, type));
               }));
  Reordered steps(run.threads);
  EDGEC_CHECK(steps.input(DNNL_ARG_DIFF_DST, s.activation(s.dst, f32), descriptor.diff_dst_desc(), 0));
  EDGEC_CHECK(steps.input(DNNL_ARG_WEIGHTS, s.plain_weights(f32, false), descriptor.weights_desc(), 1));
  EDGEC_CHECK(steps.output(DNNL_ARG_DIFF_SRC, s.activation(s.src, f32), descriptor.diff_src_desc(), 0));
  EDGEC_ASSIGN(Kernel kernel, steps.kernel<dnnl::convolution_backward_data>(descriptor));
  kernel.inputs = {Layout::channels_last, Layout::plain};
  kernel.output = Layout::channels_last;
  return bias ? with_bias(std::move(kernel), shape, run) : kernel;
}

Result<Kernel> conv_weight_gradient(const ConvShape &shape, bool bias, Run run, Operands operands) {
  EDGEC_CHECK(check_instructions(operands, run));
  const OnednnConvShape s(shape);
  const OmpThreads scope(run.threads);
  const auto type = type_of(operands);
  const memory::desc biases(s.bias, f32, memory::format_tag::x);
  using Gradient = dnnl::convolution_backward_weights;
  EDGEC_ASSIGN(const auto descriptor, descriptor_for(s, [&](const Formats &f) {
                 const auto desc = bias ? Gradient::desc(direct, f.src(type), f.weights(f32), biases, f.dst(type),
                                                         s.strides, s.dilations, s.pad_begin, s.pad_end)
                                        : Gradient::desc(direct, f.src(type), f.weights(f32), f.dst(type), s.strides,
                                                         s.dilations, s.pad_begin, s.pad_end);
                 return Gradient::primitive_desc(desc, own_scratch(), cpu_engine(), training(f, type));
               }));
  Reordered steps(run.threads);
  EDGEC_CHECK(steps.input(DNNL_ARG_SRC, s.activation(s.src, f32), descriptor.src_desc(), 0));
  EDGEC_CHECK(steps.input(DNNL_ARG_DIFF_DST, s.activation(s.dst, f32), descriptor.diff_dst_desc(), 1));
  EDGEC_CHECK(steps.output(DNNL_ARG_DIFF_WEIGHTS, s.plain_weights(f32, false), descriptor.diff_weights_desc(), 0));
  if (bias) EDGEC_CHECK(steps.output(DNNL_ARG_DIFF_BIAS, biases, descriptor.diff_bias_desc(), 1));
  EDGEC_ASSIGN(Kernel kernel, steps.kernel<Gradient>(descriptor));
  kernel.inputs = {Layout::channels_last, Layout::channels_last};
  return kernel;
}

} // namespace edgec::fast
