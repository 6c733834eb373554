// Convolutions as they are defined: scalar, row-major (N, C, D, H, W).
#pragma once

#include <cstddef>
#include <span>

#include "kernels/integer.h"
#include "kernels/shapes.h"

namespace edgec::reference {

/// Products and sums in double, rounded once. `bias` may be empty.
void conv(const ConvShape &shape, std::span<const float> x, std::span<const float> w, std::span<const float> bias,
          std::span<float> y);
void conv_transpose(const ConvShape &shape, std::span<const float> x, std::span<const float> w,
                    std::span<const float> bias, std::span<float> y);

/// What a scalar that has gradient dy of conv's output has of its weight and, where db is not empty, of its bias: sums
/// over batch and positions of dy times the elements of x that the weight meets there, in double, rounded once.
void conv_weight_gradient(const ConvShape &shape, std::span<const float> x, std::span<const float> dy,
                          std::span<float> dw, std::span<float> db);

/// Codes in, codes or floats out (IntegerOutput); sums wrap around in 32 bits.
void conv(const ConvShape &shape, const IntegerConv &conv, const std::byte *x, std::byte *y);
void conv_transpose(const ConvShape &shape, const IntegerConv &conv, const std::byte *x, std::byte *y);

/// Accumulators of channel `channel` to the output, from element `offset` of y on.
void finish(const IntegerOutput &output, std::int64_t channel, std::span<const std::int32_t> accumulators, std::byte *y,
            std::int64_t offset);

} // namespace edgec::reference
