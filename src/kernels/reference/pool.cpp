#include "kernels/reference/pool.h"

#include <algorithm>

#include "kernels/requantize.h"

namespace edgec::reference {
namespace {

std::int32_t load(DType dtype, const std::byte *x, std::int64_t i) {
  return dtype == DType::uint8 ? static_cast<std::int32_t>(reinterpret_cast<const std::uint8_t *>(x)[i])
                               : static_cast<std::int32_t>(reinterpret_cast<const std::int8_t *>(x)[i]);
}

void store(std::byte *y, std::int64_t i, std::int32_t code) { y[i] = static_cast<std::byte>(code & 0xff); }

/// average(plane, input position) summed over the taps.
template <class Load, class Store>
void average(const PoolShape &s, bool count_padding, Load &&value, Store &&result) {
  each_output(s, [&](std::int64_t plane, std::int64_t position, std::int64_t d, std::int64_t h, std::int64_t w) {
    float sum = 0;
    each_tap(s, d, h, w, [&](std::int64_t i) { sum += value(plane * s.in_area() + i); });
    const std::int64_t count = average_count(s, d, h, w, count_padding);
    result(plane * s.out_area() + position, count > 0 ? sum / static_cast<float>(count) : 0.0F);
  });
}

} // namespace

std::int64_t average_count(const PoolShape &s, std::int64_t d, std::int64_t h, std::int64_t w, bool count_padding) {
  const auto count = [&](const Window &axis, std::int64_t o) {
    const std::int64_t low = count_padding ? -axis.pad_begin : 0, high = axis.in + (count_padding ? axis.pad_end : 0);
    std::int64_t found = 0;
    for (std::int64_t k = 0; k < axis.kernel; ++k) {
      const std::int64_t i = axis.input_index(o, k);
      found += i >= low && i < high;
    }
    return found;
  };
  return count(s.axes[0], d) * count(s.axes[1], h) * count(s.axes[2], w);
}

void average_pool(const PoolShape &shape, bool count_padding, std::span<const float> x, std::span<float> y) {
  average(
      shape, count_padding, [&](std::int64_t i) { return x[i]; }, [&](std::int64_t i, float v) { y[i] = v; });
}

void average_pool(const PoolShape &shape, bool count_padding, Codes from, const std::byte *x, Codes to, std::byte *y) {
  const CodeRange range = CodeRange::of(to.dtype);
  average(
      shape, count_padding,
      [&](std::int64_t i) { return static_cast<float>(load(from.dtype, x, i) - from.zero_point) * from.scale; },
      [&](std::int64_t i, float v) { store(y, i, to_code(v / to.scale, to.zero_point, range)); });
}

void global_average_pool(std::int64_t planes, std::int64_t area, std::span<const float> x, std::span<float> y) {
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    double sum = 0;
    for (std::int64_t i = 0; i < area; ++i) sum += static_cast<double>(x[plane * area + i]);
    y[plane] = static_cast<float>(sum / static_cast<double>(area));
  }
}

void global_average_pool(std::int64_t planes, std::int64_t area, Codes from, const std::byte *x, Codes to,
                         std::byte *y) {
  const float scale = from.scale / (to.scale * static_cast<float>(area));
  for (std::int64_t plane = 0; plane < planes; ++plane) {
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < area; ++i)
      sum = wrapping_add(sum, load(from.dtype, x, plane * area + i) - from.zero_point);
    store(y, plane, requantize(sum, scale, to.zero_point, CodeRange::of(to.dtype)));
  }
}

} // namespace edgec::reference
