// What oneDNN's convolutions have in common.
#pragma once

#include "kernels/fast/conv.h"
#include "kernels/fast/onednn.h"

namespace edgec::fast {

/// A ConvShape in oneDNN's terms: 2 or 3 spatial axes, activations channels_last, weights with a group axis if grouped.
struct OnednnConvShape {
  explicit OnednnConvShape(const ConvShape &shape);
  dnnl::memory::dims src, dst, weights, bias, strides, dilations, pad_begin, pad_end;
  [[nodiscard]] dnnl::memory::desc activation(const dnnl::memory::dims &dims, dnnl::memory::data_type type) const;
  /// Row-major (group, output, input, ...), or with `transposed` input channels before output channels.
  [[nodiscard]] dnnl::memory::desc plain_weights(dnnl::memory::data_type type, bool transposed) const;
};

/// Exactly reference::conv by oneDNN's u8/s8 kernels. Error: the accumulators might not be exact, or no fast kernel.
Result<Kernel> conv_onednn(const ConvShape &shape, const IntegerConv &conv, Run run);

} // namespace edgec::fast
