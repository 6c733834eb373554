// Weights and biases as integers: numbers only, no graph.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace edgec {

/// How a weight's channels lie in its row-major bytes: index = (outer * channels + channel) * inner + i.
struct ChannelSpan {
  std::int64_t outer = 1, channels = 1, inner = 1;
  static ChannelSpan of(std::span<const std::int64_t> dims, int axis);
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(outer * channels * inner); }
};

/// max |w| of each channel.
std::vector<float> channel_maxima(std::span<const float> weights, ChannelSpan span);

/// Whether symmetric_scales() would leave these scales of weights as they are for the sake of the biases.
bool biases_fit(std::span<const double> biases, float input_scale, std::span<const float> scales);

/// One symmetric scale per channel: max |w| / 127, but at least |bias| / (input_scale * 2^30), so that a bias of a
/// channel whose weights are next to nothing still fits int32. A channel of zeros without bias gets scale 1. `bias` may
/// be empty.
std::vector<float> symmetric_scales(std::span<const float> maxima, std::span<const double> bias, float input_scale,
                                    int levels = 127);

/// round(w / scale) clamped to +-levels, halves to even.
std::vector<std::int8_t> quantize_symmetric(std::span<const float> weights, ChannelSpan span,
                                            std::span<const float> scales, int levels = 127);

/// round(bias / (input_scale * scale)), product in float32 as integer kernels have it; saturates at int32.
std::vector<std::int32_t> quantize_bias(std::span<const double> bias, float input_scale, std::span<const float> scales);

} // namespace edgec
