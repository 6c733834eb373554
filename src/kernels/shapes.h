// Geometry of convolutions, pools and matrix products, as the kernels see it: no graph, all sizes known.
#pragma once

#include <array>
#include <cstdint>

namespace edgec {

/// One spatial axis of a sliding window. Output index o, tap k read input index o * stride - pad_begin + k * dilation.
struct Window {
  std::int64_t in = 1, out = 1, kernel = 1, stride = 1, dilation = 1, pad_begin = 0, pad_end = 0;

  [[nodiscard]] std::int64_t input_index(std::int64_t o, std::int64_t k) const {
    return o * stride - pad_begin + k * dilation;
  }
  /// Index of the last tap, relative to the first.
  [[nodiscard]] std::int64_t reach() const { return (kernel - 1) * dilation; }
  [[nodiscard]] bool padded() const { return pad_begin != 0 || pad_end != 0; }
};

/// A sliding window over N x C x (D x H x W); unused leading axes are the default ones. `rank` counts the real ones.
struct PoolShape {
  std::int64_t batch = 1, channels = 1;
  std::array<Window, 3> axes; ///< D, H, W
  int rank = 2;

  [[nodiscard]] std::int64_t in_area() const { return axes[0].in * axes[1].in * axes[2].in; }
  [[nodiscard]] std::int64_t out_area() const { return axes[0].out * axes[1].out * axes[2].out; }
  [[nodiscard]] std::int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
};

/// A convolution: x[batch, in_channels, ...], w[out_channels, in_channels / groups, ...], y[batch, out_channels, ...].
/// Transposed: w[in_channels, out_channels / groups, ...], and `in` and `out` of the axes are its own input and output
/// (input index i, tap k add to output index i * stride - pad_begin + k * dilation).
struct ConvShape {
  std::int64_t batch = 1, groups = 1, in_channels = 1, out_channels = 1;
  std::array<Window, 3> axes; ///< D, H, W
  int rank = 2;

  [[nodiscard]] std::int64_t group_in() const { return in_channels / groups; }
  [[nodiscard]] std::int64_t group_out() const { return out_channels / groups; }
  [[nodiscard]] std::int64_t in_area() const { return axes[0].in * axes[1].in * axes[2].in; }
  [[nodiscard]] std::int64_t out_area() const { return axes[0].out * axes[1].out * axes[2].out; }
  [[nodiscard]] std::int64_t taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
  [[nodiscard]] bool padded() const { return axes[0].padded() || axes[1].padded() || axes[2].padded(); }
  [[nodiscard]] bool depthwise() const { return groups == in_channels && groups == out_channels && groups > 1; }
  /// Multiplications of one run.
  [[nodiscard]] double macs() const {
    return static_cast<double>(batch) * static_cast<double>(out_channels) * static_cast<double>(out_area()) *
           static_cast<double>(group_in()) * static_cast<double>(taps());
  }
};

} // namespace edgec
