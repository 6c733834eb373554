// float32 convolutions by oneDNN whose weights come at run time, and the gradients of convolutions.
#include "kernels/fast/conv_onednn.h"
#include "kernels/fast/dispatch.h"

namespace edgec::fast {
namespace {

using dnnl::memory;
using From = OnednnArgument::From;
constexpr auto f32 = memory::data_type::f32;
constexpr auto direct = dnnl::algorithm::convolution_direct;

/// A primitive between tensors as edgec keeps them: what oneDNN wants otherwise is reordered through scratch.
class Reordered {
public:
  explicit Reordered(int threads) : threads_(threads) {}

  Status input(int index, const memory::desc &given, const memory::desc &wanted, std::size_t number) {
    if (given == wanted) {
      arguments_.push_back({index, given, From::input, number, {}});
      return {};
    }
    const OnednnArgument through = in_scratch(index, wanted);
    arguments_.push_back(through);
    return reorder({DNNL_ARG_FROM, given, From::input, number, {}},
                   {DNNL_ARG_TO, wanted, From::scratch, through.number, {}}, before_);
  }

  Status output(int index, const memory::desc &given, const memory::desc &wanted, std::size_t number) {
    if (given == wanted) {
      arguments_.push_back({index, given, From::output, number, {}});
      return {};
    }
    const OnednnArgument through = in_scratch(index, wanted);
    arguments_.push_back(through);
    return reorder({DNNL_ARG_FROM, wanted, From::scratch, through.number, {}},
                   {DNNL_ARG_TO, given, From::output, number, {}}, after_);
  }

  /// The kernel of the primitive whose arguments were named.
  template <class Primitive, class Descriptor>
  Result<Kernel> kernel(const Descriptor &descriptor) {
    arguments_.push_back(in_scratch(DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc()));
    EDGEC_ASSIGN(auto call, onednn_call<Primitive>(descriptor, std::move(arguments_), threads_));
    std::vector<std::shared_ptr<const OnednnCall>> calls = std::move(before_);
    calls.push_back(std::move(call));
    calls.insert(calls.end(), after_.begin(), after_.end());
    Kernel kernel;
    kernel.scratch_bytes = scratch_;
    kernel.description = "onednn " + std::string(descriptor.impl_info_str());
    kernel.run = [calls = std::move(calls)](const KernelIo &io) {
      for (const auto &each : calls) each->run(io);
    };
    return kernel;
  }

private:
  int threads_;
  std::size_t scratch_ = 0;
  std::vector<OnednnArgument> arguments_;
  std::vector<std::shared_ptr<const OnednnCall>> before_, after_;

  OnednnArgument in_scratch(int index, const memory::desc &desc) {
    constexpr std::size_t alignment = 64;
    const std::size_t offset = scratch_;
    scratch_ += (desc.get_size() + alignment - 1) / alignment * alignment;
    return {index, desc, From::scratch, offset, {}};
  }

  Status reorder(OnednnArgument from, OnednnArgument to, std::vector<std::shared_ptr<const OnednnCall>> &calls) {
    const auto descriptor = with_onednn([&] {
      dnnl::primitive_attr attributes;
      attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      return dnnl::reorder::primitive_desc(cpu_engine(), from.desc, cpu_engine(), to.desc, attributes);
    });
    std::vector<OnednnArgument> arguments{std::move(from), std::move(to),
                                          in_scratch(DNNL_ARG_SCRATCHPAD, descriptor.scratchpad_desc())};
    EDGEC_ASSIGN(auto call, onednn_call<dnnl::reorder>(descriptor, std::move(arguments), threads_));
    calls.push_back(std::move(call));
    return {};
  }
};

/// A convolution's tensors: activations as edgec keeps them or, where oneDNN has slow code only for those, as it likes.
struct Tensors {
  memory::desc src, dst, weights;
};

template <class Create>
auto descriptor_for(const OnednnConvShape &s, Create &&create) {
  const memory::desc weights(s.weights, f32, memory::format_tag::any);
  auto found = onednn_descriptor([&] {
    return create(Tensors{s.activation(s.src, f32), s.activation(s.dst, f32), weights});
  });
  if (found) return found;
  const auto any = memory::format_tag::any;
  return onednn_descriptor([&] { return create(Tensors{{s.src, f32, any}, {s.dst, f32, any}, weights}); });
}

dnnl::primitive_attr own_scratch() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

dnnl::convolution_forward::primitive_desc forward(const OnednnConvShape &s, const Tensors &t, dnnl::prop_kind kind) {
  return {dnnl::convolution_forward::desc(kind, direct, t.src, t.weights, t.dst, s.strides, s.dilations, s.pad_begin,
                                          s.pad_end),
          own_scratch(), cpu_engine()};
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

Result<Kernel> conv(const ConvShape &shape, bool bias, Run run) {
  if (run.isa == Isa::scalar) return unsupported("no vector instructions");
  const OnednnConvShape s(shape);
  const OmpThreads scope(run.threads);
  EDGEC_ASSIGN(const auto descriptor,
               descriptor_for(s, [&](const Tensors &t) { return forward(s, t, dnnl::prop_kind::forward_inference); }));
  Reordered steps(run.threads);
  EDGEC_CHECK(steps.input(DNNL_ARG_SRC, s.activation(s.src, f32), descriptor.src_desc(), 0));
  EDGEC_CHECK(steps.input(DNNL_ARG_WEIGHTS, s.plain_weights(f32, false), descriptor.weights_desc(), 1));
  EDGEC_CHECK(steps.output(DNNL_ARG_DST, s.activation(s.dst, f32), descriptor.dst_desc(), 0));
  EDGEC_ASSIGN(Kernel kernel, steps.kernel<dnnl::convolution_forward>(descriptor));
  kernel.inputs = {Layout::channels_last, Layout::plain};
  kernel.output = Layout::channels_last;
  return bias ? with_bias(std::move(kernel), shape, run) : kernel;
}

Result<Kernel> conv_transpose(const ConvShape &shape, bool bias, Run run) {
  if (run.isa == Isa::scalar) return unsupported("no vector instructions");
  const OnednnConvShape s(undone(shape));
  const OmpThreads scope(run.threads);
  EDGEC_ASSIGN(const auto descriptor, descriptor_for(s, [&](const Tensors &t) {
                 const dnnl::convolution_backward_data::desc desc(direct, t.src, t.weights, t.dst, s.strides,
                                                                  s.dilations, s.pad_begin, s.pad_end);
                 return dnnl::convolution_backward_data::primitive_desc(
                     desc, own_scratch(), cpu_engine(), forward(s, t, dnnl::prop_kind::forward_training));
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

Result<Kernel> conv_weight_gradient(const ConvShape &shape, bool bias, Run run) {
  if (run.isa == Isa::scalar) return unsupported("no vector instructions");
  const OnednnConvShape s(shape);
  const OmpThreads scope(run.threads);
  const memory::desc biases(s.bias, f32, memory::format_tag::x);
  using Gradient = dnnl::convolution_backward_weights;
  EDGEC_ASSIGN(const auto descriptor, descriptor_for(s, [&](const Tensors &t) {
                 const auto desc = bias ? Gradient::desc(direct, t.src, t.weights, biases, t.dst, s.strides,
                                                         s.dilations, s.pad_begin, s.pad_end)
                                        : Gradient::desc(direct, t.src, t.weights, t.dst, s.strides, s.dilations,
                                                         s.pad_begin, s.pad_end);
                 return Gradient::primitive_desc(desc, own_scratch(), cpu_engine(),
                                                 forward(s, t, dnnl::prop_kind::forward_training));
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
