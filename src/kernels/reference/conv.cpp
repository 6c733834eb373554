#include "kernels/reference/conv.h"

#include <algorithm>
#include <vector>

#include "kernels/requantize.h"

namespace edgec::reference {
namespace {

/// Calls visit(input offset in the plane, tap) for the taps of output position (d, h, w) that lie inside.
template <class Visit>
void each_tap(const ConvShape &s, std::int64_t d, std::int64_t h, std::int64_t w, Visit &&visit) {
  const auto &[D, H, W] = s.axes;
  for (std::int64_t i = 0; i < D.kernel; ++i) {
    const std::int64_t z = D.input_index(d, i);
    if (z < 0 || z >= D.in) continue;
    for (std::int64_t j = 0; j < H.kernel; ++j) {
      const std::int64_t y = H.input_index(h, j);
      if (y < 0 || y >= H.in) continue;
      for (std::int64_t k = 0; k < W.kernel; ++k) {
        const std::int64_t x = W.input_index(w, k);
        if (x < 0 || x >= W.in) continue;
        visit((z * H.in + y) * W.in + x, (i * H.kernel + j) * W.kernel + k);
      }
    }
  }
}

/// The same for a transposed convolution: the input positions that output position (d, h, w) hears of.
template <class Visit>
void each_source(const ConvShape &s, std::int64_t d, std::int64_t h, std::int64_t w, Visit &&visit) {
  const auto &[D, H, W] = s.axes;
  const auto source = [](const Window &axis, std::int64_t o, std::int64_t k) {
    const std::int64_t i = o + axis.pad_begin - k * axis.dilation;
    return i >= 0 && i % axis.stride == 0 && i / axis.stride < axis.in ? i / axis.stride : -1;
  };
  for (std::int64_t i = 0; i < D.kernel; ++i) {
    const std::int64_t z = source(D, d, i);
    for (std::int64_t j = 0; z >= 0 && j < H.kernel; ++j) {
      const std::int64_t y = source(H, h, j);
      for (std::int64_t k = 0; y >= 0 && k < W.kernel; ++k) {
        const std::int64_t x = source(W, w, k);
        if (x >= 0) visit((z * H.in + y) * W.in + x, (i * H.kernel + j) * W.kernel + k);
      }
    }
  }
}

/// Sums product(input index, weight index) over everything that output (n, channel, d, h, w) depends on.
template <bool transposed, class Sum, class Product>
Sum accumulate(const ConvShape &s, std::int64_t n, std::int64_t channel, std::int64_t d, std::int64_t h, std::int64_t w,
               Product &&product) {
  const std::int64_t group = channel / s.group_out(), first = group * s.group_in();
  Sum sum = 0;
  const auto visit = [&](std::int64_t position, std::int64_t tap) {
    for (std::int64_t c = 0; c < s.group_in(); ++c) {
      const std::int64_t x = (n * s.in_channels + first + c) * s.in_area() + position;
      const std::int64_t row =
          transposed ? (first + c) * s.group_out() + channel % s.group_out() : channel * s.group_in() + c;
      sum += product(x, row * s.taps() + tap);
    }
  };
  if constexpr (transposed)
    each_source(s, d, h, w, visit);
  else
    each_tap(s, d, h, w, visit);
  return sum;
}

/// Calls store(channel, output index, sum) for every output.
template <bool transposed, class Sum, class Product, class Store>
void each_output(const ConvShape &s, Product &&product, Store &&store) {
  const auto &[D, H, W] = s.axes;
  std::int64_t index = 0;
  for (std::int64_t n = 0; n < s.batch; ++n)
    for (std::int64_t c = 0; c < s.out_channels; ++c)
      for (std::int64_t d = 0; d < D.out; ++d)
        for (std::int64_t h = 0; h < H.out; ++h)
          for (std::int64_t w = 0; w < W.out; ++w)
            store(c, index++, accumulate<transposed, Sum>(s, n, c, d, h, w, product));
}

template <bool transposed>
void conv_float(const ConvShape &shape, std::span<const float> x, std::span<const float> w, std::span<const float> bias,
                std::span<float> y) {
  each_output<transposed, double>(
      shape, [&](std::int64_t i, std::int64_t j) { return static_cast<double>(x[i]) * static_cast<double>(w[j]); },
      [&](std::int64_t channel, std::int64_t index, double sum) {
        y[index] = static_cast<float>(sum + (bias.empty() ? 0.0 : static_cast<double>(bias[channel])));
      });
}

template <bool transposed, class Code>
void conv_codes(const ConvShape &shape, const IntegerConv &conv, const Code *x, std::byte *y) {
  each_output<transposed, std::uint32_t>(
      shape,
      [&](std::int64_t i, std::int64_t j) {
        return static_cast<std::uint32_t>((x[i] - conv.input_zero_point) * conv.weights[j]);
      },
      [&](std::int64_t channel, std::int64_t index, std::uint32_t sum) {
        const auto accumulator = static_cast<std::int32_t>(sum);
        finish(conv.output, channel, {&accumulator, 1}, y, index);
      });
}

template <bool transposed>
void conv_integer(const ConvShape &shape, const IntegerConv &conv, const std::byte *x, std::byte *y) {
  if (conv.input == DType::uint8)
    conv_codes<transposed>(shape, conv, reinterpret_cast<const std::uint8_t *>(x), y);
  else
    conv_codes<transposed>(shape, conv, reinterpret_cast<const std::int8_t *>(x), y);
}

} // namespace

void conv(const ConvShape &shape, std::span<const float> x, std::span<const float> w, std::span<const float> bias,
          std::span<float> y) {
  conv_float<false>(shape, x, w, bias, y);
}

void conv_transpose(const ConvShape &shape, std::span<const float> x, std::span<const float> w,
                    std::span<const float> bias, std::span<float> y) {
  conv_float<true>(shape, x, w, bias, y);
}

void conv(const ConvShape &shape, const IntegerConv &conv, const std::byte *x, std::byte *y) {
  conv_integer<false>(shape, conv, x, y);
}

void conv_transpose(const ConvShape &shape, const IntegerConv &conv, const std::byte *x, std::byte *y) {
  conv_integer<true>(shape, conv, x, y);
}

void finish(const IntegerOutput &output, std::int64_t channel, std::span<const std::int32_t> accumulators, std::byte *y,
            std::int64_t offset) {
  const std::int32_t bias = output.bias.empty() ? 0 : output.bias[channel];
  const float scale = output.scales[channel];
  for (const std::int32_t accumulator : accumulators) {
    const std::int32_t sum = wrapping_add(accumulator, bias);
    if (output.dtype == DType::float32) {
      reinterpret_cast<float *>(y)[offset++] = static_cast<float>(sum) * scale;
    } else { // the low byte of an int8 code is its two's complement form
      const std::int32_t code = requantize(sum, scale, output.zero_point, CodeRange::of(output.dtype));
      y[offset++] = static_cast<std::byte>(code & 0xff);
    }
  }
}

void conv_weight_gradient(const ConvShape &shape, std::span<const float> x, std::span<const float> dy,
                          std::span<float> dw, std::span<float> db) {
  std::vector<double> weights(dw.size()), biases(db.size());
  const auto &[D, H, W] = shape.axes;
  std::size_t index = 0;
  for (std::int64_t n = 0; n < shape.batch; ++n)
    for (std::int64_t c = 0; c < shape.out_channels; ++c)
      for (std::int64_t d = 0; d < D.out; ++d)
        for (std::int64_t h = 0; h < H.out; ++h)
          for (std::int64_t w = 0; w < W.out; ++w) {
            const double gradient = dy[index++];
            if (!db.empty()) biases[static_cast<std::size_t>(c)] += gradient;
            accumulate<false, double>(shape, n, c, d, h, w, [&](std::int64_t i, std::int64_t j) {
              weights[static_cast<std::size_t>(j)] += gradient * static_cast<double>(x[static_cast<std::size_t>(i)]);
              return 0.0;
            });
          }
  std::ranges::transform(weights, dw.begin(), [](double v) { return static_cast<float>(v); });
  std::ranges::transform(biases, db.begin(), [](double v) { return static_cast<float>(v); });
}

} // namespace edgec::reference
