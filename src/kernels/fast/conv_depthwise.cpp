// Exact integer depthwise convolution: vectors of channels, a few output positions at a time.
#include <algorithm>
#include <cstring>
#include <memory>

#include <omp.h>

#include "kernels/fast/conv_tiles.h"

namespace edgec::fast {
namespace {

constexpr int positions = DepthwiseJob::positions;

struct Plan {
  ConvShape shape;
  DType input;
  const TileSet *tiles;
  TileOutput output;
  std::byte padding;                 ///< the input's zero point
  std::int64_t width = 0;            ///< channels rounded up to whole vectors
  std::vector<std::int32_t> weights; ///< [taps][width]
  std::vector<std::int32_t> bias;    ///< [width], with the zero point's part
  std::vector<float> scales;         ///< [width]
};

Plan make_plan(const ConvShape &s, const IntegerConv &conv, const TileSet *tiles) {
  Plan plan{.shape = s,
            .input = conv.input,
            .tiles = tiles,
            .output = TileOutput::of(conv.output),
            .padding = static_cast<std::byte>(conv.input_zero_point & 0xff)};
  plan.width = (s.in_channels + DepthwiseJob::width_unit - 1) / DepthwiseJob::width_unit * DepthwiseJob::width_unit;
  const auto width = static_cast<std::size_t>(plan.width), taps = static_cast<std::size_t>(s.taps());
  plan.weights.resize(taps * width);
  plan.bias.resize(width);
  plan.scales.resize(width);
  for (std::size_t c = 0; c < static_cast<std::size_t>(s.in_channels); ++c) {
    std::int32_t bias = conv.output.bias.empty() ? 0 : conv.output.bias[c];
    for (std::size_t t = 0; t < taps; ++t) {
      const std::int32_t w = conv.weights[c * taps + t];
      plan.weights[t * width + c] = w;
      bias = wrapping_add(bias, -w * conv.input_zero_point);
    }
    plan.bias[c] = bias;
    plan.scales[c] = conv.output.scales[c];
  }
  return plan;
}

/// One thread's pointers to the taps of `positions` outputs; channels that end before a whole vector are copied first.
struct Taps {
  const Plan &plan;
  const std::byte *x, *end; ///< the whole input
  std::byte *rows;          ///< a row of padding, then [positions * taps][width] for copies
  const std::byte **pointers;

  void prepare() const { std::memset(rows, static_cast<int>(plan.padding), static_cast<std::size_t>(plan.width)); }

  void locate(std::int64_t index, int position) const {
    const ConvShape &s = plan.shape;
    const auto &[D, H, W] = s.axes;
    const std::int64_t w = index % W.out, h = index / W.out % H.out, d = index / (W.out * H.out) % D.out;
    const std::byte *image = x + index / s.out_area() * s.in_area() * s.in_channels;
    const std::byte **to = pointers + position * s.taps();
    std::byte *copy = rows + (1 + position * s.taps()) * plan.width;
    for (std::int64_t i = 0; i < D.kernel; ++i)
      for (std::int64_t j = 0; j < H.kernel; ++j) {
        const std::int64_t z = D.input_index(d, i), y = H.input_index(h, j);
        const bool outside = z < 0 || z >= D.in || y < 0 || y >= H.in;
        const std::byte *line = image + (z * H.in + y) * W.in * s.in_channels;
        for (std::int64_t k = 0; k < W.kernel; ++k, copy += plan.width) {
          const std::int64_t at = W.input_index(w, k);
          const std::byte *tap = outside || at < 0 || at >= W.in ? rows : line + at * s.in_channels;
          if (tap != rows && end - tap < plan.width) {
            std::memcpy(copy, tap, static_cast<std::size_t>(s.in_channels));
            tap = copy;
          }
          *to++ = tap;
        }
      }
  }
};

void run_range(const Plan &plan, const KernelIo &io, std::byte *scratch, std::int64_t first, std::int64_t last) {
  const ConvShape &s = plan.shape;
  const std::int64_t taps = s.taps(), stride = s.out_channels * plan.output.bytes();
  const Taps found{plan, io.inputs[0], io.inputs[0] + s.batch * s.in_area() * s.in_channels,
                   scratch + positions * taps * static_cast<std::int64_t>(sizeof(void *)),
                   reinterpret_cast<const std::byte **>(scratch)};
  found.prepare();
  DepthwiseJob job{.taps_of = found.pointers,
                   .weights = plan.weights.data(),
                   .taps = taps,
                   .channels = s.out_channels,
                   .width = plan.width,
                   .is_signed = plan.input == DType::int8,
                   .bias = plan.bias.data(),
                   .scales = plan.scales.data(),
                   .y_stride = stride,
                   .output = plan.output};
  // The last group begins before the end of the one before it; fewer outputs than a group go through a copy.
  std::byte *const few = found.rows + (1 + positions * taps) * plan.width;
  for (std::int64_t i = first; i < last; i += positions) {
    const std::int64_t start = std::max(first, std::min(i, last - positions));
    for (int p = 0; p < positions; ++p) found.locate(std::min(start + p, last - 1), p);
    const bool whole = last - start >= positions;
    job.y = whole ? io.outputs[0] + start * stride : few;
    plan.tiles->run_depthwise(job);
    if (!whole) std::memcpy(io.outputs[0] + start * stride, few, static_cast<std::size_t>((last - start) * stride));
  }
}

} // namespace

Result<Kernel> conv_depthwise(const ConvShape &shape, const IntegerConv &conv, Run run) {
  if (!shape.depthwise()) return unsupported("not depthwise");
  auto plan = std::make_shared<const Plan>(make_plan(shape, conv, pair_tiles(run.isa)));
  if (!plan->tiles) return unsupported("no vector instructions");
  const std::int64_t taps = shape.taps(), rows = shape.batch * shape.out_area();
  if (rows == 0) return unsupported("an empty convolution");
  const std::int64_t pointers = positions * taps * static_cast<std::int64_t>(sizeof(void *));
  const std::int64_t bytes =
      (pointers + (1 + positions * taps) * plan->width + positions * shape.out_channels * plan->output.bytes() + 63) /
      64 * 64;
  Kernel kernel;
  kernel.inputs = {Layout::channels_last};
  kernel.output = Layout::channels_last;
  kernel.scratch_bytes = static_cast<std::size_t>(run.threads * bytes);
  kernel.description = "depthwise";
  const std::int64_t parts = std::clamp<std::int64_t>(rows / 64, 1, run.threads);
  kernel.run = [plan, parts, rows, bytes](const KernelIo &io) {
  // Always a team of its own, if only of one: inside another team its threads are numbered from 0 as well.
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static)
    for (std::int64_t part = 0; part < parts; ++part)
      run_range(*plan, io, io.scratch + omp_get_thread_num() * bytes, rows * part / parts, rows * (part + 1) / parts);
  };
  return kernel;
}

} // namespace edgec::fast
