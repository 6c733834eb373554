#include "calibrate/patches.h"

#include <algorithm>

#include "runtime/reorder.h"
#include "support/random.h"

namespace edgec {
namespace {

/// Where the taps of one position read, as offsets of spatial elements; -1: padding.
void tap_offsets(const ConvShape &shape, std::int64_t position, std::vector<std::int64_t> &offsets) {
  const auto &[D, H, W] = shape.axes;
  const std::int64_t w = position % W.out, h = position / W.out % H.out, d = position / W.out / H.out;
  offsets.clear();
  for (std::int64_t i = 0; i < D.kernel; ++i)
    for (std::int64_t j = 0; j < H.kernel; ++j)
      for (std::int64_t k = 0; k < W.kernel; ++k) {
        const std::int64_t z = D.input_index(d, i), y = H.input_index(h, j), x = W.input_index(w, k);
        const bool inside = z >= 0 && z < D.in && y >= 0 && y < H.in && x >= 0 && x < W.in;
        offsets.push_back(inside ? (z * H.in + y) * W.in + x : -1);
      }
}

template <class T, class Real>
void fill(const ConvShape &shape, std::span<const std::int64_t> positions, std::span<const T> data, Layout layout,
          std::span<float> rows, Real &&real) {
  const std::int64_t channels = shape.in_channels, area = shape.in_area(), taps = shape.taps();
  const std::int64_t channel_step = layout == Layout::channels_last ? 1 : area;
  const std::int64_t spatial_step = layout == Layout::channels_last ? channels : 1;
  std::vector<std::int64_t> offsets;
  for (const std::int64_t position : positions) {
    tap_offsets(shape, position % shape.out_area(), offsets);
    const T *sample = data.data() + position / shape.out_area() * channels * area;
    const std::span row = rows.first(static_cast<std::size_t>(channels * taps));
    rows = rows.subspan(row.size());
    for (std::int64_t t = 0; t < taps; ++t) {
      const std::int64_t offset = offsets[static_cast<std::size_t>(t)];
      float *to = &row[static_cast<std::size_t>(t)];
      if (offset < 0) {
        for (std::int64_t c = 0; c < channels; ++c) to[c * taps] = 0;
        continue;
      }
      const T *from = sample + offset * spatial_step;
      if (taps == 1 && channel_step == 1) // vectors
        for (std::int64_t c = 0; c < channels; ++c) to[c] = real(from[c]);
      else
        for (std::int64_t c = 0; c < channels; ++c) to[c * taps] = real(from[c * channel_step]);
    }
  }
}

/// Whether the data's axes are those that the geometry speaks of: a convolution's, not a product's.
bool has_axes_of(const ConvShape &shape, std::span<const std::int64_t> dims) {
  if (dims.size() != static_cast<std::size_t>(shape.rank) + 2 || dims[0] != shape.batch || dims[1] != shape.in_channels)
    return false;
  for (std::size_t i = 2; i < dims.size(); ++i)
    if (dims[i] != shape.axes[3 - dims.size() + i].in) return false;
  return true;
}

Tensor row_major(const Tensor &data) {
  std::vector<std::byte> bytes(data.data.size());
  reorder(data.data.data(), Layout::channels_last, bytes.data(), Layout::plain, data.dims, byte_size(data.dtype, 1), 1);
  return Tensor::of_bytes(data.dtype, data.dims, std::move(bytes));
}

} // namespace

std::vector<std::int64_t> draw_positions(const ConvShape &shape, std::size_t wanted, std::uint64_t seed) {
  const std::int64_t all = shape.batch * shape.out_area();
  std::vector<std::int64_t> positions;
  if (all <= static_cast<std::int64_t>(wanted)) {
    for (std::int64_t i = 0; i < all; ++i) positions.push_back(i);
    return positions;
  }
  // One from each of `wanted` stretches of equal length: spread over the whole plane.
  Random random(seed);
  for (std::size_t i = 0; i < wanted; ++i) {
    const std::int64_t first = all * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(wanted);
    const std::int64_t last = all * static_cast<std::int64_t>(i + 1) / static_cast<std::int64_t>(wanted);
    positions.push_back(first + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(last - first))));
  }
  return positions;
}

void fill_patches(const ConvShape &shape, std::span<const std::int64_t> positions, const Tensor &data, const Type &type,
                  Layout layout, std::span<float> rows) {
  if (layout == Layout::channels_last && !has_axes_of(shape, data.dims))
    return fill_patches(shape, positions, row_major(data), type, Layout::plain, rows);
  if (data.dtype == DType::float32)
    return fill(shape, positions, data.as<float>(), layout, rows, [](float x) { return x; });
  const float scale = type.quant->scale();
  const std::int32_t zero_point = type.quant->zero_point();
  const auto real = [&](auto code) { return scale * static_cast<float>(code - zero_point); };
  if (data.dtype == DType::uint8)
    fill(shape, positions, data.as<std::uint8_t>(), layout, rows, real);
  else if (data.dtype == DType::uint16)
    fill(shape, positions, data.as<std::uint16_t>(), layout, rows, real);
  else
    fill(shape, positions, data.as<std::int8_t>(), layout, rows, real);
}

} // namespace edgec
