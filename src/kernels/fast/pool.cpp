#include "kernels/fast/pool.h"

#include <algorithm>
#include <limits>

#include "kernels/fast/dispatch.h"
#include "kernels/reference/pool.h"

namespace edgec::fast {
namespace {

constexpr std::int64_t block = 64; // channels summed at a time, in registers or the nearest cache

/// Taps of one axis that lie inside, for one output index.
struct Range {
  std::int64_t first, last, start; ///< taps [first, last); input index of tap 0
  Range(const Window &w, std::int64_t o) : first(0), last(w.kernel), start(w.input_index(o, 0)) {
    if (start >= 0 && start + w.reach() < w.in) return;
    first = start >= 0 ? 0 : std::min(w.kernel, (-start + w.dilation - 1) / w.dilation);
    last = start >= w.in ? 0 : std::min(w.kernel, (w.in - 1 - start) / w.dilation + 1);
    last = std::max(first, last);
  }
};

/// The window of output position `index` (batch and space).
struct Place {
  std::int64_t image, d, h, w;
  Place(const PoolShape &s, std::int64_t index) {
    w = index % s.axes[2].out;
    h = index / s.axes[2].out % s.axes[1].out;
    d = index / (s.axes[2].out * s.axes[1].out) % s.axes[0].out;
    image = index / s.out_area();
  }
};

/// Calls visit(offset of the position's channels in the input) for every tap inside, in row-major order.
template <class Visit>
EDGEC_INLINE inline void each_tap(const PoolShape &s, const Place &at, const Visit &visit) {
  const auto &[D, H, W] = s.axes;
  const Range d(D, at.d), h(H, at.h), w(W, at.w);
  for (std::int64_t i = d.first; i < d.last; ++i)
    for (std::int64_t j = h.first; j < h.last; ++j) {
      const std::int64_t line = (d.start + i * D.dilation) * H.in + h.start + j * H.dilation;
      for (std::int64_t k = w.first; k < w.last; ++k)
        visit((at.image * s.in_area() + line * W.in + w.start + k * W.dilation) * s.channels);
    }
}

#if defined(__x86_64__)
namespace avx2 {
#define TARGET [[gnu::target("avx2")]]
constexpr std::int64_t width = 32;
#include "kernels/fast/max_taps.inc"
#undef TARGET
} // namespace avx2
namespace avx512 {
#define TARGET [[gnu::target("avx512f,avx512bw,avx512vl,avx512dq")]]
constexpr std::int64_t width = 64;
#include "kernels/fast/max_taps.inc"
#undef TARGET
} // namespace avx512
#endif
namespace scalar {
#define TARGET
constexpr std::int64_t width = 16;
#include "kernels/fast/max_taps.inc"
#undef TARGET
} // namespace scalar

/// Output row `row` (batch, D, H): the taps of each position, in pieces of at most `most`, then the largest of them.
template <class T, class MaxTaps>
void max_row(const PoolShape &s, const T *x, T *y, std::int64_t row, const MaxTaps &max_taps) {
  constexpr std::int64_t most = 64;
  const auto &[D, H, W] = s.axes;
  const std::int64_t h = row % H.out, d = row / H.out % D.out, image = row / (H.out * D.out);
  const Range depth(D, d), height(H, h);
  const T lowest = std::is_floating_point_v<T> ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::lowest();
  T *out = y + row * W.out * s.channels;
  const T *taps[most + 1];
  std::int64_t count = 0;
  bool whole = false; // the taps found last are a whole window, all at once
  for (std::int64_t w = 0; w < W.out; ++w, out += s.channels) {
    const Range across(W, w);
    const bool inside = across.first == 0 && across.last == W.kernel;
    if (whole && inside) { // the window moves on
      for (std::int64_t t = 0; t < count; ++t) taps[t] += W.stride * s.channels;
      max_taps(taps, count, s.channels, out);
      continue;
    }
    count = 0;
    bool begun = false;
    const auto flush = [&] { // what was found before counts as one more tap
      if (begun) taps[count++] = out;
      max_taps(taps, count, s.channels, out);
      begun = true;
    };
    for (std::int64_t i = depth.first; i < depth.last; ++i)
      for (std::int64_t j = height.first; j < height.last; ++j) {
        const std::int64_t line = (image * D.in + depth.start + i * D.dilation) * H.in + height.start + j * H.dilation;
        for (std::int64_t k = across.first; k < across.last; ++k) {
          if (count == most) {
            flush();
            count = 0;
          }
          taps[count++] = x + (line * W.in + across.start + k * W.dilation) * s.channels;
        }
      }
    whole = inside && !begun && count > 0;
    if (count > 0)
      flush();
    else
      std::fill_n(out, s.channels, lowest);
  }
}

template <class T>
Kernel max_pool_of(const PoolShape &shape, Run run) {
  Kernel kernel;
  kernel.run = [shape, run](const KernelIo &io) {
    const T *x = reinterpret_cast<const T *>(io.inputs[0]);
    T *y = reinterpret_cast<T *>(io.outputs[0]);
    const std::int64_t rows = shape.batch * shape.axes[0].out * shape.axes[1].out;
    const auto max_taps = run.isa >= Isa::avx512 ? avx512::max_taps<T>
                          : run.isa >= Isa::avx2 ? avx2::max_taps<T>
                                                 : scalar::max_taps<T>;
    dispatch({Isa::scalar, run.threads}, rows, 8192 / (shape.channels * shape.axes[2].out + 1) + 1,
             [&](std::int64_t first, std::int64_t last) {
               for (std::int64_t row = first; row < last; ++row) max_row(shape, x, y, row, max_taps);
             });
  };
  return kernel;
}

/// Sums in float, tap by tap, then finish(channel's element of y, sum / count).
template <class Load, class Finish>
EDGEC_INLINE inline void average_at(const PoolShape &s, bool count_padding, std::int64_t index, const Load &load,
                                    const Finish &finish) {
  const Place at(s, index);
  const auto count = static_cast<float>(reference::average_count(s, at.d, at.h, at.w, count_padding));
  for (std::int64_t c0 = 0; c0 < s.channels; c0 += block) {
    const std::int64_t size = std::min(block, s.channels - c0);
    float sum[block];
    for (std::int64_t c = 0; c < block; ++c) sum[c] = 0;
    each_tap(s, at, [&](std::int64_t offset) EDGEC_INLINE {
      for (std::int64_t c = 0; c < size; ++c) sum[c] += load(offset + c0 + c);
    });
    for (std::int64_t c = 0; c < size; ++c) finish(index * s.channels + c0 + c, count > 0 ? sum[c] / count : 0.0F);
  }
}

/// Images [first, last) of dx: each output's gradient shared out by give(output's offset, its window).
template <class Give>
EDGEC_INLINE inline void share_out(const PoolShape &s, float *dx, std::int64_t first, std::int64_t last,
                                   const Give &give) {
  const std::int64_t image = s.in_area() * s.channels;
  std::fill(dx + first * image, dx + last * image, 0.0F);
  for (std::int64_t index = first * s.out_area(); index < last * s.out_area(); ++index)
    give(index * s.channels, Place(s, index));
}

Kernel finished(Kernel kernel, const char *description) {
  kernel.inputs = {Layout::channels_last};
  kernel.output = Layout::channels_last;
  kernel.description = description;
  return kernel;
}

template <class F>
void with_codes(DType from, DType to, F &&f) {
  const auto second = [&]<class From>(From) {
    if (to == DType::uint8)
      f.template operator()<From, std::uint8_t>();
    else
      f.template operator()<From, std::int8_t>();
  };
  if (from == DType::uint8)
    second(std::uint8_t{});
  else
    second(std::int8_t{});
}

/// to_code for the vectorizer.
struct Coder {
  float low, high;
  std::int32_t zero_point;
  explicit Coder(Codes to) : zero_point(to.zero_point) {
    const CodeRange range = CodeRange::of(to.dtype);
    low = static_cast<float>(range.low - zero_point);
    high = static_cast<float>(range.high - zero_point);
  }
  template <class T>
  EDGEC_INLINE T code(float value) const {
    float rounded = __builtin_nearbyintf(value);
    rounded = rounded > low ? rounded : low;
    rounded = rounded < high ? rounded : high;
    return static_cast<T>(static_cast<std::int32_t>(rounded) + zero_point);
  }
};

} // namespace

Kernel max_pool(const PoolShape &shape, DType dtype, Run run) {
  if (dtype == DType::float32) return finished(max_pool_of<float>(shape, run), "max");
  return finished(dtype == DType::uint8 ? max_pool_of<std::uint8_t>(shape, run) : max_pool_of<std::int8_t>(shape, run),
                  "max of codes");
}

Kernel average_pool(const PoolShape &shape, bool count_padding, Run run) {
  Kernel kernel;
  kernel.run = [=](const KernelIo &io) {
    const auto *x = reinterpret_cast<const float *>(io.inputs[0]);
    auto *y = reinterpret_cast<float *>(io.outputs[0]);
    dispatch(run, shape.batch * shape.out_area(), 4096 / (shape.channels + 1) + 1,
             [=, &shape](std::int64_t first, std::int64_t last) EDGEC_INLINE {
               for (std::int64_t i = first; i < last; ++i)
                 average_at(
                     shape, count_padding, i, [=](std::int64_t at) EDGEC_INLINE { return x[at]; },
                     [=](std::int64_t at, float mean) EDGEC_INLINE { y[at] = mean; });
             });
  };
  return finished(std::move(kernel), "average");
}

Kernel average_pool(const PoolShape &shape, bool count_padding, Codes from, Codes to, Run run) {
  Kernel kernel;
  kernel.run = [=](const KernelIo &io) {
    with_codes(from.dtype, to.dtype, [&]<class From, class To>() {
      const From *x = reinterpret_cast<const From *>(io.inputs[0]);
      To *y = reinterpret_cast<To *>(io.outputs[0]);
      const std::int32_t zero_point = from.zero_point;
      const float scale = from.scale, divisor = to.scale;
      const Coder coder(to);
      dispatch(run, shape.batch * shape.out_area(), 4096 / (shape.channels + 1) + 1,
               [=, &shape](std::int64_t first, std::int64_t last) EDGEC_INLINE {
                 for (std::int64_t i = first; i < last; ++i)
                   average_at(
                       shape, count_padding, i,
                       [=](std::int64_t at) EDGEC_INLINE { return static_cast<float>(x[at] - zero_point) * scale; },
                       [=](std::int64_t at, float mean) EDGEC_INLINE { y[at] = coder.code<To>(mean / divisor); });
               });
    });
  };
  return finished(std::move(kernel), "average of codes");
}

Kernel global_average_pool(std::int64_t batch, std::int64_t channels, std::int64_t area, Run run) {
  Kernel kernel;
  kernel.run = [=](const KernelIo &io) {
    const auto *x = reinterpret_cast<const float *>(io.inputs[0]);
    auto *y = reinterpret_cast<float *>(io.outputs[0]);
    const std::int64_t blocks = (channels + block - 1) / block;
    dispatch(
        run, batch * blocks, 8192 / (area * block + 1) + 1, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
          for (std::int64_t item = first; item < last; ++item) {
            const std::int64_t n = item / blocks, c0 = item % blocks * block, size = std::min(block, channels - c0);
            double sum[block];
            for (std::int64_t c = 0; c < block; ++c) sum[c] = 0;
            for (std::int64_t i = 0; i < area; ++i)
              for (std::int64_t c = 0; c < size; ++c)
                sum[c] += static_cast<double>(x[(n * area + i) * channels + c0 + c]);
            for (std::int64_t c = 0; c < size; ++c)
              y[n * channels + c0 + c] = static_cast<float>(sum[c] / static_cast<double>(area));
          }
        });
  };
  return finished(std::move(kernel), "global average");
}

Kernel global_average_pool(std::int64_t batch, std::int64_t channels, std::int64_t area, Codes from, Codes to,
                           Run run) {
  Kernel kernel;
  kernel.run = [=](const KernelIo &io) {
    with_codes(from.dtype, to.dtype, [&]<class From, class To>() {
      const From *x = reinterpret_cast<const From *>(io.inputs[0]);
      To *y = reinterpret_cast<To *>(io.outputs[0]);
      const std::int64_t blocks = (channels + block - 1) / block;
      const auto zero_point = static_cast<std::uint32_t>(from.zero_point);
      const float scale = from.scale / (to.scale * static_cast<float>(area));
      const Coder coder(to);
      dispatch(
          run, batch * blocks, 16384 / (area * block + 1) + 1, [=](std::int64_t first, std::int64_t last) EDGEC_INLINE {
            for (std::int64_t item = first; item < last; ++item) {
              const std::int64_t n = item / blocks, c0 = item % blocks * block, size = std::min(block, channels - c0);
              std::uint32_t sum[block]; // wraps around as the reference does
              for (std::int64_t c = 0; c < block; ++c) sum[c] = 0;
              for (std::int64_t i = 0; i < area; ++i)
                for (std::int64_t c = 0; c < size; ++c)
                  sum[c] += static_cast<std::uint32_t>(x[(n * area + i) * channels + c0 + c]) - zero_point;
              for (std::int64_t c = 0; c < size; ++c)
                y[n * channels + c0 + c] =
                    coder.code<To>(static_cast<float>(static_cast<std::int32_t>(sum[c])) * scale);
            }
          });
    });
  };
  return finished(std::move(kernel), "global average of codes");
}

Kernel max_pool_gradient(const PoolShape &shape, Run run) {
  Kernel kernel;
  kernel.run = [=](const KernelIo &io) {
    const auto *dy = reinterpret_cast<const float *>(io.inputs[0]);
    const auto *x = reinterpret_cast<const float *>(io.inputs[1]), *y = reinterpret_cast<const float *>(io.inputs[2]);
    auto *dx = reinterpret_cast<float *>(io.outputs[0]);
    dispatch(run, shape.batch, 1, [=, &shape](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      share_out(shape, dx, first, last, [=, &shape](std::int64_t output, const Place &at) EDGEC_INLINE {
        for (std::int64_t c0 = 0; c0 < shape.channels; c0 += block) {
          const std::int64_t size = std::min(block, shape.channels - c0);
          float left[block]; // the gradient, until a tap took it
          for (std::int64_t c = 0; c < size; ++c) left[c] = dy[output + c0 + c];
          each_tap(shape, at, [&](std::int64_t offset) EDGEC_INLINE {
            for (std::int64_t c = 0; c < size; ++c) {
              const bool takes = x[offset + c0 + c] == y[output + c0 + c];
              dx[offset + c0 + c] += takes ? left[c] : 0.0F;
              left[c] = takes ? 0.0F : left[c];
            }
          });
        }
      });
    });
  };
  kernel = finished(std::move(kernel), "gradient of max");
  kernel.inputs.resize(3, Layout::channels_last);
  return kernel;
}

Kernel average_pool_gradient(const PoolShape &shape, bool count_padding, Run run) {
  Kernel kernel;
  kernel.run = [=](const KernelIo &io) {
    const auto *dy = reinterpret_cast<const float *>(io.inputs[0]);
    auto *dx = reinterpret_cast<float *>(io.outputs[0]);
    dispatch(run, shape.batch, 1, [=, &shape](std::int64_t first, std::int64_t last) EDGEC_INLINE {
      share_out(shape, dx, first, last, [=, &shape](std::int64_t output, const Place &at) EDGEC_INLINE {
        const auto count = static_cast<float>(reference::average_count(shape, at.d, at.h, at.w, count_padding));
        each_tap(shape, at, [=, &shape](std::int64_t offset) EDGEC_INLINE {
          for (std::int64_t c = 0; c < shape.channels; ++c) dx[offset + c] += dy[output + c] / count;
        });
      });
    });
  };
  return finished(std::move(kernel), "gradient of average");
}

} // namespace edgec::fast
