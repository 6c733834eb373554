// The patches of a value that a weighted operator multiplies with its weights (im2col), at some of its positions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ir/kernel.h"
#include "ir/tensor.h"
#include "ir/type.h"
#include "kernels/shapes.h"

namespace edgec {

/// `wanted` of the positions of a convolution's output (batch * area), drawn without repetition by `seed`, ascending;
/// all of them where there are no more.
std::vector<std::int64_t> draw_positions(const ConvShape &shape, std::size_t wanted, std::uint64_t seed);

/// Fills `rows` with one row [in_channels * taps] (channel by channel, as weights lie) of reals for each position.
/// `data` holds float32, or codes of `type`'s scale and zero point, in `layout`; a product reads rows of row-major
/// data, whatever axes that has. Taps in the padding are 0.
void fill_patches(const ConvShape &shape, std::span<const std::int64_t> positions, const Tensor &data, const Type &type,
                  Layout layout, std::span<float> rows);

} // namespace edgec
