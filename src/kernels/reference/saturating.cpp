#include "kernels/reference/saturating.h"

#include <algorithm>

#include "kernels/reference/conv.h"
#include "support/vectorize.h"

namespace edgec::reference {
namespace {

/// sums[c] += saturate(a0 * w0[c] + a1 * w1[c]), all pairs one after another.
EDGEC_VECTOR_CLONES void add_pairs(const std::uint8_t *row, const std::int16_t *weights, std::size_t pairs,
                                   std::size_t rows, std::int32_t *sums) {
  for (std::size_t pair = 0; pair < pairs; ++pair) {
    const std::int32_t first = row[2 * pair], second = row[2 * pair + 1];
    const std::int16_t *w0 = weights + 2 * pair * rows, *w1 = w0 + rows;
    for (std::size_t c = 0; c < rows; ++c) {
      std::int32_t sum = first * w0[c] + second * w1[c];
      sum = sum < INT16_MIN ? INT16_MIN : sum;
      sum = sum > INT16_MAX ? INT16_MAX : sum;
      sums[c] += sum;
    }
  }
}

} // namespace

SaturatingConv::SaturatingConv(const ConvShape &shape, IntegerConv conv)
    : shape_(shape), conv_(std::move(conv)),
      pairs_(static_cast<std::size_t>((shape.group_in() * shape.taps() + 1) / 2)),
      rows_(static_cast<std::size_t>(shape.group_out())),
      weights_(static_cast<std::size_t>(shape.groups) * pairs_ * 2 * rows_),
      offsets_(static_cast<std::size_t>(shape.out_channels)) {
  const auto taps = static_cast<std::size_t>(shape.taps()), channels = static_cast<std::size_t>(shape.group_in());
  for (std::size_t out = 0; out < offsets_.size(); ++out)
    for (std::size_t tap = 0; tap < taps; ++tap)
      for (std::size_t c = 0; c < channels; ++c) {
        const std::int16_t weight = conv_.weights[(out * channels + c) * taps + tap];
        const std::size_t group = out / rows_, place = tap * channels + c;
        weights_[(group * pairs_ * 2 + place) * rows_ + out % rows_] = weight;
        offsets_[out] -= conv_.input_zero_point * weight;
      }
}

std::size_t SaturatingConv::scratch_bytes() const { return rows_ * sizeof(std::int32_t) + 2 * pairs_; }

/// The codes that output position `at` sees, padding as the zero point.
void SaturatingConv::gather(const std::uint8_t *x, std::int64_t group, std::array<std::int64_t, 3> at,
                            std::uint8_t *row) const {
  const auto &[D, H, W] = shape_.axes;
  const std::int64_t area = shape_.in_area(), channels = shape_.group_in();
  const auto zero = static_cast<std::uint8_t>(conv_.input_zero_point);
  for (std::int64_t i = 0; i < D.kernel; ++i)
    for (std::int64_t j = 0; j < H.kernel; ++j)
      for (std::int64_t k = 0; k < W.kernel; ++k, row += channels) {
        const std::int64_t d = D.input_index(at[0], i), h = H.input_index(at[1], j), w = W.input_index(at[2], k);
        if (d < 0 || d >= D.in || h < 0 || h >= H.in || w < 0 || w >= W.in) {
          std::fill_n(row, channels, zero);
          continue;
        }
        const std::uint8_t *from = x + group * channels * area + (d * H.in + h) * W.in + w;
        for (std::int64_t c = 0; c < channels; ++c) row[c] = from[c * area];
      }
}

void SaturatingConv::run(const std::byte *x, std::byte *y, std::byte *scratch) const {
  const Window &H = shape_.axes[1], &W = shape_.axes[2];
  auto *sums = reinterpret_cast<std::int32_t *>(scratch);
  auto *row = reinterpret_cast<std::uint8_t *>(sums + rows_);
  std::fill_n(row, 2 * pairs_, std::uint8_t{0});
  const auto rows = static_cast<std::int64_t>(rows_), positions = shape_.out_area();
  for (std::int64_t n = 0; n < shape_.batch; ++n)
    for (std::int64_t group = 0; group < shape_.groups; ++group)
      for (std::int64_t p = 0; p < positions; ++p) {
        const auto *plane = reinterpret_cast<const std::uint8_t *>(x) + n * shape_.in_channels * shape_.in_area();
        gather(plane, group, {p / (H.out * W.out), p / W.out % H.out, p % W.out}, row);
        std::copy_n(offsets_.data() + group * rows, rows_, sums);
        add_pairs(row, weights_.data() + static_cast<std::size_t>(group) * pairs_ * 2 * rows_, pairs_, rows_, sums);
        for (std::int64_t c = 0; c < rows; ++c) {
          const std::int64_t channel = group * rows + c;
          finish(conv_.output, channel, {sums + c, 1}, y, (n * shape_.out_channels + channel) * positions + p);
        }
      }
}

} // namespace edgec::reference
