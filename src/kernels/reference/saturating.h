// Integer convolution as AVX2 computes it without VNNI.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/integer.h"
#include "kernels/shapes.h"

namespace edgec::reference {

/// Products of uint8 data with int8 weights as vpmaddubsw makes them: the sum of two neighbours' products saturates at
/// 16 bits before it is added to the accumulator. Neighbours are input channels of one tap, an odd last one with the
/// first of the next tap, as in rows of taps of channels; a matrix product has one tap. Such is the arithmetic of
/// onnxruntime's kernels for AVX2 and AVX-512 without VNNI (mlas, QgemmU8X8KernelAvx2). Depthwise convolutions are
/// exact there, and no case of this.
class SaturatingConv {
public:
  /// `conv.input` is uint8; weights lie in ConvShape's order.
  SaturatingConv(const ConvShape &shape, IntegerConv conv);

  [[nodiscard]] std::size_t scratch_bytes() const;
  void run(const std::byte *x, std::byte *y, std::byte *scratch) const;

private:
  ConvShape shape_;
  IntegerConv conv_;
  std::size_t pairs_ = 0, rows_ = 0;  // of weights, and output channels of a group
  std::vector<std::int16_t> weights_; // [group][pair][first or second of the pair][output channel]
  std::vector<std::int32_t> offsets_; // of each output channel: what the zero point adds

  void gather(const std::uint8_t *x, std::int64_t group, std::array<std::int64_t, 3> at, std::uint8_t *row) const;
};

} // namespace edgec::reference
