// float32 convolutions by oneDNN.
#include <algorithm>

#include "kernels/fast/conv_onednn.h"

namespace edgec::fast {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using From = OnednnArgument::From;
constexpr auto f32 = memory::data_type::f32;

struct PostOps {
  dnnl::primitive_attr attributes;
  std::vector<OnednnArgument> arguments; ///< operands of additions
};

PostOps make_post_ops(std::span<const FloatPostOp> list, const memory::desc &dst) {
  PostOps made;
  dnnl::post_ops ops;
  for (const FloatPostOp &op : list) {
    switch (op.kind) {
    case FloatPostOp::Kind::relu: ops.append_eltwise(1, algorithm::eltwise_relu, 0, 0); break;
    case FloatPostOp::Kind::leaky_relu: ops.append_eltwise(1, algorithm::eltwise_relu, op.alpha, 0); break;
    case FloatPostOp::Kind::clip: ops.append_eltwise(1, algorithm::eltwise_clip, op.alpha, op.beta); break;
    case FloatPostOp::Kind::sigmoid: ops.append_eltwise(1, algorithm::eltwise_logistic, 0, 0); break;
    case FloatPostOp::Kind::hard_swish: ops.append_eltwise(1, algorithm::eltwise_hardswish, 0, 0); break;
    case FloatPostOp::Kind::add:
      made.arguments.push_back(
          {DNNL_ARG_ATTR_MULTIPLE_POST_OP(ops.len()) | DNNL_ARG_SRC_1, dst, From::input, op.operand, {}});
      ops.append_binary(algorithm::binary_add, dst);
      break;
    }
  }
  made.attributes.set_post_ops(ops);
  made.attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return made;
}

/// oneDNN 2.6.3 keeps the parameters of only one post-operation of each algorithm: all others compute with them too.
bool share_parameters(const dnnl::post_ops &ops) {
  struct Eltwise {
    algorithm which;
    float alpha, beta;
  };
  std::vector<Eltwise> seen;
  for (int i = 0; i < ops.len(); ++i) {
    if (ops.kind(i) != dnnl::primitive::kind::eltwise) continue;
    float scale = 1;
    Eltwise op{};
    ops.get_params_eltwise(i, scale, op.which, op.alpha, op.beta);
    for (const Eltwise &other : seen)
      if (other.which == op.which && (other.alpha != op.alpha || other.beta != op.beta)) return true;
    seen.push_back(op);
  }
  return false;
}

template <class Primitive>
Result<Kernel> make_kernel(const ConvShape &shape, std::span<const float> w, std::span<const float> bias,
                           std::span<const FloatPostOp> post_ops, Run run, algorithm direct, bool transposed) {
  if (run.isa == Isa::scalar) return unsupported("no vector instructions");
  const OnednnConvShape s(shape);
  const OmpThreads scope(run.threads);
  const memory::desc src = s.activation(s.src, f32), dst = s.activation(s.dst, f32);
  const memory::desc weights(s.weights, f32, memory::format_tag::any), biases(s.bias, f32, memory::format_tag::x);
  const PostOps extra = make_post_ops(post_ops, dst);
  if (share_parameters(extra.attributes.get_post_ops()))
    return unsupported("oneDNN does not tell two activations of one kind apart");
  auto descriptor = onednn_descriptor([&] {
    const auto kind = dnnl::prop_kind::forward_inference;
    const typename Primitive::desc desc =
        bias.empty()
            ? typename Primitive::desc(kind, direct, src, weights, dst, s.strides, s.dilations, s.pad_begin, s.pad_end)
            : typename Primitive::desc(kind, direct, src, weights, biases, dst, s.strides, s.dilations, s.pad_begin,
                                       s.pad_end);
    return typename Primitive::primitive_desc(desc, extra.attributes, cpu_engine());
  });
  if (!descriptor) return std::move(descriptor).error();
  const std::string implementation = descriptor->impl_info_str();
  if (!extra.arguments.empty() && implementation.find("gemm") != std::string::npos)
    return unsupported("oneDNN 2.6.3 adds wrong elements after a grouped convolution by " + implementation);
  if (!extra.arguments.empty() && shape.out_channels % 16 != 0 && implementation.find("brdgmm") != std::string::npos)
    return unsupported("oneDNN 2.6.3 adds wrong elements to the last channels by " + implementation);
  std::vector<OnednnArgument> arguments = extra.arguments;
  arguments.push_back({DNNL_ARG_SRC, src, From::input, 0, {}});
  arguments.push_back({DNNL_ARG_DST, dst, From::output, 0, {}});
  arguments.push_back({DNNL_ARG_WEIGHTS,
                       {},
                       From::constant,
                       0,
                       in_format(s.plain_weights(f32, transposed), w.data(), descriptor->weights_desc())});
  if (!bias.empty())
    arguments.push_back({DNNL_ARG_BIAS, {}, From::constant, 0, in_format(biases, bias.data(), biases)});
  arguments.push_back({DNNL_ARG_SCRATCHPAD, descriptor->scratchpad_desc(), From::scratch, 0, {}});
  Kernel kernel;
  kernel.inputs = {Layout::channels_last};
  for (const FloatPostOp &op : post_ops)
    if (op.kind == FloatPostOp::Kind::add) {
      kernel.inputs.resize(std::max(kernel.inputs.size(), op.operand + 1), Layout::plain);
      kernel.inputs[op.operand] = Layout::channels_last;
    }
  kernel.output = Layout::channels_last;
  kernel.scratch_bytes = descriptor->scratchpad_desc().get_size();
  kernel.description = "onednn " + implementation;
  EDGEC_ASSIGN(const auto call, onednn_call<Primitive>(*descriptor, std::move(arguments), run.threads));
  kernel.run = [call](const KernelIo &io) { call->run(io); };
  return kernel;
}

} // namespace

OnednnConvShape::OnednnConvShape(const ConvShape &shape)
    : src{shape.batch, shape.in_channels}, dst{shape.batch, shape.out_channels} {
  if (shape.groups > 1) weights.push_back(shape.groups);
  weights.insert(weights.end(), {shape.group_out(), shape.group_in()});
  bias = {shape.out_channels};
  for (std::size_t i = shape.rank == 3 ? 0 : 1; i < 3; ++i) {
    const Window &axis = shape.axes[i];
    src.push_back(axis.in);
    dst.push_back(axis.out);
    weights.push_back(axis.kernel);
    strides.push_back(axis.stride);
    dilations.push_back(axis.dilation - 1);
    pad_begin.push_back(axis.pad_begin);
    pad_end.push_back(axis.pad_end);
  }
}

memory::desc OnednnConvShape::activation(const memory::dims &dims, memory::data_type type) const {
  return {dims, type, dims.size() == 4 ? memory::format_tag::nhwc : memory::format_tag::ndhwc};
}

memory::desc OnednnConvShape::plain_weights(memory::data_type type, bool transposed) const {
  memory::dims strides_of(weights.size());
  const std::size_t out = weights.size() - src.size(), in = out + 1; // axes after the group's, if any
  std::vector<std::size_t> order;                                    // innermost first
  for (std::size_t i = weights.size(); i-- > out + 2;) order.push_back(i);
  order.push_back(transposed ? out : in);
  order.push_back(transposed ? in : out);
  if (out == 1) order.push_back(0);
  memory::dim stride = 1;
  for (const std::size_t axis : order) {
    strides_of[axis] = stride;
    stride *= weights[axis];
  }
  return {weights, type, strides_of};
}

Result<Kernel> conv(const ConvShape &shape, std::span<const float> w, std::span<const float> bias,
                    std::span<const FloatPostOp> post_ops, Run run) {
  return make_kernel<dnnl::convolution_forward>(shape, w, bias, post_ops, run, algorithm::convolution_direct, false);
}

Result<Kernel> conv_transpose(const ConvShape &shape, std::span<const float> w, std::span<const float> bias,
                              std::span<const FloatPostOp> post_ops, Run run) {
  ConvShape own = shape; // oneDNN takes output_padding as less padding at the end
  for (Window &axis : own.axes)
    axis.pad_end = axis.stride * (axis.in - 1) + axis.reach() + 1 - axis.pad_begin - axis.out;
  if (own.groups == own.in_channels && own.groups > 1) return unsupported("depthwise transposed convolution");
  return make_kernel<dnnl::deconvolution_forward>(own, w, bias, post_ops, run, algorithm::deconvolution_direct, true);
}

} // namespace edgec::fast
