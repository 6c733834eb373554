#include "kernels/fast/conv_tiles.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>

#include <omp.h>

#include "support/vectorize.h"

namespace edgec::fast {
namespace {

/// Weights of one panel of columns: [words][width] words.
struct Panel {
  std::int64_t first = 0; ///< output channel
  int columns = 0, width = 0;
  std::size_t weights = 0, numbers = 0; ///< where its weights, and its bias and scales, begin
};

struct Plan {
  ConvShape shape;
  bool transposed = false;
  bool quads = false;     ///< bytes, four a word; else 16-bit numbers, two a word
  bool is_signed = false; ///< int8 activations
  std::int32_t zero_point = 0;
  std::int64_t depth = 0, words = 0; ///< products a sum; words of a row
  const TileSet *tiles = nullptr;
  TileOutput output;
  std::vector<std::byte> weights;
  std::vector<std::int32_t> bias;
  std::vector<float> scales;
  std::vector<std::vector<Panel>> panels; ///< by group
  bool wide = false;                      ///< the input is made numbers as a whole, not row by row
  bool direct = false;                    ///< rows of the input are rows of the product
  std::int64_t rows = 0, strip = 0;       ///< output positions; those of one piece of work

  [[nodiscard]] std::int64_t row_bytes() const { return words * 4; }
  [[nodiscard]] std::int64_t inputs() const { return shape.batch * shape.in_area() * shape.in_channels; }
  /// Scratch of the rows that are gathered.
  [[nodiscard]] std::int64_t gathered_bytes(int threads) const { return direct ? 0 : threads * strip * row_bytes(); }
  /// Bytes of an input code where the rows are gathered from.
  [[nodiscard]] std::int64_t code_bytes() const { return wide ? 2 : 1; }
};

/// Calls visit(k, weight) for the weights of an output channel, tap by tap, channel by channel.
template <class Visit>
void for_each_weight(const Plan &plan, const IntegerConv &conv, std::int64_t channel, Visit &&visit) {
  const ConvShape &s = plan.shape;
  const std::int64_t taps = s.taps(), into = s.group_in(), first = channel / s.group_out() * into;
  const std::int64_t start = plan.transposed ? first * s.group_out() + channel % s.group_out() : channel * into;
  const std::int64_t step = plan.transposed ? s.group_out() : 1; // rows of taps from one input channel to the next
  std::int64_t k = 0;
  for (std::int64_t tap = 0; tap < taps; ++tap)
    for (std::int64_t c = 0; c < into; ++c)
      visit(k++, conv.weights[static_cast<std::size_t>((start + c * step) * taps + tap)]);
}

void pack(Plan &plan, const IntegerConv &conv, Panel &panel) {
  panel.weights = plan.weights.size();
  panel.numbers = plan.bias.size();
  plan.weights.resize(panel.weights + static_cast<std::size_t>(plan.words * panel.width * 4));
  plan.bias.resize(panel.numbers + static_cast<std::size_t>(panel.width));
  plan.scales.resize(panel.numbers + static_cast<std::size_t>(panel.width));
  for (int j = 0; j < panel.columns; ++j) {
    const std::int64_t channel = panel.first + j;
    std::int32_t sum = 0;
    std::byte *const column = plan.weights.data() + panel.weights + std::ptrdiff_t{j} * 4;
    for_each_weight(plan, conv, channel, [&](std::int64_t k, std::int16_t w) {
      sum = wrapping_add(sum, w);
      if (plan.quads)
        column[k / 4 * panel.width * 4 + k % 4] = static_cast<std::byte>(w);
      else
        std::memcpy(column + k / 2 * panel.width * 4 + k % 2 * 2, &w, 2);
    });
    std::int32_t bias = conv.output.bias.empty() ? 0 : conv.output.bias[static_cast<std::size_t>(channel)];
    if (plan.quads) bias = wrapping_add(bias, -wrapping_mul(plan.zero_point, sum)); // bytes come with their zero point
    plan.bias[panel.numbers + static_cast<std::size_t>(j)] = bias;
    plan.scales[panel.numbers + static_cast<std::size_t>(j)] = conv.output.scales[static_cast<std::size_t>(channel)];
  }
}

void pack_all(Plan &plan, const IntegerConv &conv) {
  const ConvShape &s = plan.shape;
  for (std::int64_t g = 0; g < s.groups; ++g) {
    std::vector<Panel> &panels = plan.panels.emplace_back();
    for (std::int64_t c = 0; c < s.group_out(); c += plan.tiles->panel()) {
      Panel panel{.first = g * s.group_out() + c};
      panel.columns = static_cast<int>(std::min<std::int64_t>(s.group_out() - c, plan.tiles->panel()));
      panel.width = (panel.columns + plan.tiles->lanes - 1) / plan.tiles->lanes * plan.tiles->lanes;
      pack(plan, conv, panel);
      panels.push_back(panel);
    }
  }
}

template <class Code>
[[gnu::always_inline]] inline void widen_codes(std::int16_t *to, const Code *from, std::int64_t count,
                                               std::int32_t zero_point) {
  const auto zero = static_cast<std::int16_t>(zero_point);
  for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<std::int16_t>(from[i] - zero);
}
EDGEC_VECTOR_CLONES void widen(std::int16_t *to, const std::uint8_t *from, std::int64_t count, std::int32_t zero) {
  widen_codes(to, from, count, zero);
}
EDGEC_VECTOR_CLONES void widen(std::int16_t *to, const std::int8_t *from, std::int64_t count, std::int32_t zero) {
  widen_codes(to, from, count, zero);
}

/// The whole input as numbers without zero point: each is read by many rows.
void widen_all(const Plan &plan, const std::byte *x, std::byte *to, int threads) {
  constexpr std::int64_t block = 1 << 14;
  const std::int64_t all = plan.inputs(), blocks = (all + block - 1) / block;
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && blocks > 1)
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::int64_t first = b * block, count = std::min(block, all - first);
    auto *numbers = reinterpret_cast<std::int16_t *>(to) + first;
    if (plan.is_signed)
      widen(numbers, reinterpret_cast<const std::int8_t *>(x) + first, count, plan.zero_point);
    else
      widen(numbers, reinterpret_cast<const std::uint8_t *>(x) + first, count, plan.zero_point);
  }
}

/// Codes of a run of channels to bytes as they are (signed ones moved to unsigned) or to numbers without zero point.
struct Gatherer {
  const Plan &plan;

  void copy(std::byte *to, const std::byte *from, std::int64_t count) const {
    auto *numbers = reinterpret_cast<std::int16_t *>(to);
    if (plan.wide || (plan.quads && !plan.is_signed)) {
      std::memcpy(to, from, static_cast<std::size_t>(count * plan.code_bytes()));
    } else if (plan.quads) {
      for (std::int64_t i = 0; i < count; ++i) to[i] = from[i] ^ std::byte{0x80};
    } else if (plan.is_signed) {
      widen_codes(numbers, reinterpret_cast<const std::int8_t *>(from), count, plan.zero_point);
    } else {
      widen_codes(numbers, reinterpret_cast<const std::uint8_t *>(from), count, plan.zero_point);
    }
  }
  void fill(std::byte *to, std::int64_t count) const { // padding stands for the zero point
    if (plan.quads)
      std::memset(to, plan.zero_point, static_cast<std::size_t>(count));
    else
      std::memset(to, 0, static_cast<std::size_t>(count) * 2);
  }

  /// Input index of a tap along an axis; -1: none.
  [[nodiscard]] std::int64_t index(const Window &axis, std::int64_t o, std::int64_t k) const {
    std::int64_t i = axis.input_index(o, k);
    if (plan.transposed) {
      i = o + axis.pad_begin - k * axis.dilation;
      i = i % axis.stride == 0 ? i / axis.stride : -1;
    }
    return i >= 0 && i < axis.in ? i : -1;
  }

  /// Row `row` of group `group`: all taps of one output position.
  void gather(const std::byte *x, std::int64_t row, std::int64_t group, std::byte *to) const {
    const ConvShape &s = plan.shape;
    const auto &[D, H, W] = s.axes;
    const std::int64_t w0 = row % W.out, h0 = row / W.out % H.out, d0 = row / (W.out * H.out) % D.out;
    const std::byte *image =
        x + (row / s.out_area() * s.in_area() * s.in_channels + group * s.group_in()) * plan.code_bytes();
    const std::int64_t size = plan.quads ? 1 : 2, channels = s.group_in();
    std::byte *const end = to + plan.depth * size;
    for (std::int64_t i = 0; i < D.kernel; ++i)
      for (std::int64_t j = 0; j < H.kernel; ++j) {
        const std::int64_t z = index(D, d0, i), y = index(H, h0, j);
        if (z < 0 || y < 0) {
          fill(to, W.kernel * channels);
          to += W.kernel * channels * size;
        } else {
          to = gather_line(image + (z * H.in + y) * W.in * s.in_channels * plan.code_bytes(), w0, to);
        }
      }
    std::memset(end, 0, static_cast<std::size_t>(plan.row_bytes() - plan.depth * size));
  }

  std::byte *gather_line(const std::byte *line, std::int64_t w0, std::byte *to) const {
    const ConvShape &s = plan.shape;
    const Window &W = s.axes[2];
    const std::int64_t size = plan.quads ? 1 : 2, channels = s.group_in(), start = W.input_index(w0, 0);
    if (s.groups == 1 && W.dilation == 1 && !plan.transposed) { // neighbours in memory
      const std::int64_t before = std::clamp<std::int64_t>(-start, 0, W.kernel),
                         after = std::clamp<std::int64_t>(start + W.kernel - W.in, 0, W.kernel - before);
      const std::int64_t inside = W.kernel - before - after;
      if (before > 0) fill(to, before * channels);
      if (inside > 0)
        copy(to + before * channels * size, line + (start + before) * channels * plan.code_bytes(), inside * channels);
      if (after > 0) fill(to + (before + inside) * channels * size, after * channels);
      return to + W.kernel * channels * size;
    }
    for (std::int64_t k = 0; k < W.kernel; ++k, to += channels * size) {
      const std::int64_t at = index(W, w0, k);
      if (at < 0)
        fill(to, channels);
      else
        copy(to, line + at * s.in_channels * plan.code_bytes(), channels);
    }
    return to;
  }
};

/// Rows [first, first + count) of one group, times panels [from, to) of it.
void run_strip(const Plan &plan, const std::byte *x, std::byte *y, std::byte *scratch, std::int64_t first,
               std::int64_t count, std::int64_t group, std::size_t from, std::size_t to) {
  const ConvShape &s = plan.shape;
  TileJob job{.a = scratch, .a_stride = plan.row_bytes(), .words = plan.words, .rows = count, .output = plan.output};
  if (plan.direct) {
    job.a = x + first * s.in_channels * plan.code_bytes();
  } else {
    const Gatherer gatherer{plan};
    for (std::int64_t i = 0; i < count; ++i) gatherer.gather(x, first + i, group, scratch + i * plan.row_bytes());
  }
  job.y_stride = s.out_channels * plan.output.bytes();
  for (std::size_t p = from; p < to; ++p) {
    const Panel &panel = plan.panels[static_cast<std::size_t>(group)][p];
    job.b = plan.weights.data() + panel.weights;
    job.columns = panel.columns;
    job.width = panel.width;
    job.bias = plan.bias.data() + panel.numbers;
    job.scales = plan.scales.data() + panel.numbers;
    job.y = y + first * job.y_stride + panel.first * plan.output.bytes();
    plan.tiles->run(job);
  }
}

void run_all(const Plan &plan, const KernelIo &io, int threads) {
  const std::int64_t strips = (plan.rows + plan.strip - 1) / plan.strip, groups = plan.shape.groups;
  const auto panels = plan.panels.front().size();
  const auto parts = static_cast<std::int64_t>(
      strips * groups >= threads ? 1 : std::min<std::size_t>(panels, static_cast<std::size_t>(threads)));
  const std::int64_t items = strips * groups * parts;
  const std::byte *x = io.inputs[0];
  if (plan.wide) {
    std::byte *const numbers = io.scratch + plan.gathered_bytes(threads);
    widen_all(plan, x, numbers, threads);
    x = numbers;
  }
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1 && items > 1)
  for (std::int64_t item = 0; item < items; ++item) {
    const std::int64_t strip = item / (groups * parts), group = item / parts % groups;
    const auto part = static_cast<std::size_t>(item % parts), all = static_cast<std::size_t>(parts);
    std::byte *scratch = io.scratch + omp_get_thread_num() * plan.strip * plan.row_bytes();
    const std::int64_t first = strip * plan.strip;
    run_strip(plan, x, io.outputs[0], scratch, first, std::min(plan.strip, plan.rows - first), group,
              panels * part / all, panels * (part + 1) / all);
  }
}

const TileSet *tile_set(const IntegerConv &conv, Isa isa, bool &quads) {
  const bool bytes = std::ranges::all_of(conv.weights, [](std::int16_t w) { return w >= -128 && w <= 127; });
  quads = isa >= Isa::vnni && bytes;
  return quads ? &tile_quads_vnni : pair_tiles(isa);
}

Result<Kernel> make_kernel(const ConvShape &shape, const IntegerConv &conv, Run run, bool transposed) {
  auto plan = std::make_shared<Plan>();
  plan->shape = shape;
  plan->transposed = transposed;
  plan->tiles = tile_set(conv, run.isa, plan->quads);
  if (!plan->tiles) return unsupported("no vector instructions");
  plan->is_signed = conv.input == DType::int8;
  plan->zero_point = conv.input_zero_point + (plan->quads && plan->is_signed ? 128 : 0);
  plan->output = TileOutput::of(conv.output);
  const int parts = plan->quads ? 4 : 2;
  plan->depth = shape.group_in() * shape.taps();
  plan->words = (plan->depth + parts - 1) / parts;
  plan->rows = shape.batch * shape.out_area();
  if (plan->depth == 0 || plan->rows == 0 || shape.out_channels == 0) return unsupported("an empty convolution");
  pack_all(*plan, conv);
  const auto pointwise = [](const Window &w) { return w.kernel == 1 && w.stride == 1 && !w.padded(); };
  constexpr std::int64_t most_wide_bytes = 4 << 20; // of scratch
  plan->wide =
      !plan->quads && plan->inputs() * 2 <= most_wide_bytes && shape.taps() * shape.out_area() >= shape.in_area();
  plan->direct = !transposed && (plan->wide || (plan->quads && !plan->is_signed)) && shape.groups == 1 &&
                 plan->depth % parts == 0 && std::ranges::all_of(shape.axes, pointwise);
  constexpr std::int64_t tile_rows = 24,
                         cache = 32768; // whole tiles of 6 and of 8 rows; a part of the first-level cache
  plan->strip = std::clamp<std::int64_t>(cache / plan->row_bytes() / tile_rows, 1, 16) * tile_rows;
  plan->strip = std::min(plan->strip, (plan->rows / run.threads + tile_rows) / tile_rows * tile_rows);
  Kernel kernel;
  kernel.inputs = {Layout::channels_last};
  kernel.output = Layout::channels_last;
  kernel.scratch_bytes =
      static_cast<std::size_t>(plan->gathered_bytes(run.threads) + (plan->wide ? plan->inputs() * 2 : 0));
  kernel.description = plan->quads ? "tiles of bytes" : "tiles of 16-bit pairs";
  kernel.run = [plan = std::shared_ptr<const Plan>(plan), threads = run.threads](const KernelIo &io) {
    run_all(*plan, io, threads);
  };
  return kernel;
}

} // namespace

Result<Kernel> conv_tiles(const ConvShape &shape, const IntegerConv &conv, Run run) {
  return make_kernel(shape, conv, run, false);
}

Result<Kernel> conv_transpose(const ConvShape &shape, const IntegerConv &conv, Run run) {
  return make_kernel(shape, conv, run, true);
}

} // namespace edgec::fast
