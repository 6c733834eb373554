// Pools as they are defined: scalar, row-major (N, C, D, H, W).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

#include "kernels/elementwise.h"
#include "kernels/shapes.h"

namespace edgec::reference {

/// Calls visit(plane, output position in the plane, d, h, w) for every output.
template <class Visit>
void each_output(const PoolShape &s, Visit &&visit) {
  for (std::int64_t plane = 0; plane < s.batch * s.channels; ++plane) {
    std::int64_t position = 0;
    for (std::int64_t d = 0; d < s.axes[0].out; ++d)
      for (std::int64_t h = 0; h < s.axes[1].out; ++h)
        for (std::int64_t w = 0; w < s.axes[2].out; ++w) visit(plane, position++, d, h, w);
  }
}

/// Calls visit(input position in the plane) for the taps of output (d, h, w) that lie inside, in row-major order.
template <class Visit>
void each_tap(const PoolShape &s, std::int64_t d, std::int64_t h, std::int64_t w, Visit &&visit) {
  const auto &[D, H, W] = s.axes;
  const auto inside = [](const Window &axis, std::int64_t i) { return i >= 0 && i < axis.in; };
  for (std::int64_t i = 0; i < D.kernel; ++i)
    for (std::int64_t j = 0; j < H.kernel; ++j)
      for (std::int64_t k = 0; k < W.kernel; ++k) {
        const std::int64_t z = D.input_index(d, i), y = H.input_index(h, j), x = W.input_index(w, k);
        if (inside(D, z) && inside(H, y) && inside(W, x)) visit((z * H.in + y) * W.in + x);
      }
}

/// Largest element of each window; NaN is larger than all. `index` (may be null) gets its place in the whole of x,
/// row-major, or with the last two spatial axes swapped (`column_major`, ONNX's storage_order 1).
template <class T>
void max_pool(const PoolShape &s, const T *x, T *y, std::int64_t *index, bool column_major) {
  each_output(s, [&](std::int64_t plane, std::int64_t position, std::int64_t d, std::int64_t h, std::int64_t w) {
    T best = std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
    std::int64_t place = -1;
    each_tap(s, d, h, w, [&](std::int64_t i) {
      const T value = x[plane * s.in_area() + i];
      if (place >= 0 && !(value > best) && value == value) return;
      best = value;
      place = i;
    });
    const std::int64_t output = plane * s.out_area() + position;
    y[output] = best;
    if (!index) return;
    const std::int64_t rows = s.axes[1].in, columns = s.axes[2].in;
    if (column_major && place >= 0) { // swaps rows and columns within the slice
      const std::int64_t slice = place / (rows * columns), row = place / columns % rows, column = place % columns;
      place = slice * rows * columns + column * rows + row;
    }
    index[output] = plane * s.in_area() + place;
  });
}

/// What an average divides by: taps inside, or (`count_padding`) taps inside the padded input.
std::int64_t average_count(const PoolShape &shape, std::int64_t d, std::int64_t h, std::int64_t w, bool count_padding);

/// Sum in float in row-major order of the taps, divided by the count; an empty window gives 0.
void average_pool(const PoolShape &shape, bool count_padding, std::span<const float> x, std::span<float> y);
/// The same on codes: taps are dequantized, the average is quantized: round(average / scale) + zero point. This is
/// onnxruntime's QLinearAveragePool (where it follows ONNX in what it counts).
void average_pool(const PoolShape &shape, bool count_padding, Codes from, const std::byte *x, Codes to, std::byte *y);

/// The gradient of max_pool's input: each output's goes to the first tap that holds it.
template <class T>
void max_pool_gradient(const PoolShape &s, const T *dy, const T *x, const T *y, T *dx) {
  std::fill_n(dx, s.batch * s.channels * s.in_area(), T{0});
  each_output(s, [&](std::int64_t plane, std::int64_t position, std::int64_t d, std::int64_t h, std::int64_t w) {
    const std::int64_t output = plane * s.out_area() + position;
    bool taken = false;
    each_tap(s, d, h, w, [&](std::int64_t i) {
      const std::int64_t input = plane * s.in_area() + i;
      if (taken || x[input] != y[output]) return;
      dx[input] += dy[output];
      taken = true;
    });
  });
}

/// The gradient of average_pool's input: each output's in equal parts to its taps.
template <class T>
void average_pool_gradient(const PoolShape &s, bool count_padding, const T *dy, T *dx) {
  std::fill_n(dx, s.batch * s.channels * s.in_area(), T{0});
  each_output(s, [&](std::int64_t plane, std::int64_t position, std::int64_t d, std::int64_t h, std::int64_t w) {
    const T part = dy[plane * s.out_area() + position] / static_cast<T>(average_count(s, d, h, w, count_padding));
    each_tap(s, d, h, w, [&](std::int64_t i) { dx[plane * s.in_area() + i] += part; });
  });
}

/// Averages of whole planes of `area` elements, summed in double. Codes: the int32 sum of (code - zero point) is
/// requantized with scale sx / (sy * area), as onnxruntime's QLinearGlobalAveragePool does.
void global_average_pool(std::int64_t planes, std::int64_t area, std::span<const float> x, std::span<float> y);
void global_average_pool(std::int64_t planes, std::int64_t area, Codes from, const std::byte *x, Codes to,
                         std::byte *y);

} // namespace edgec::reference
