// Random convolution problems and the running of kernels: for tests.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>

#include <gtest/gtest.h>

#include "kernels/integer.h"
#include "kernels/isa.h"
#include "kernels/shapes.h"
#include "support/random.h"

namespace edgec::test {

/// The instruction set under test: EDGEC_TEST_ISA, or all that the processor has. oneDNN is held to it.
inline Isa test_isa() {
  static const Isa isa = [] {
    const char *wanted = std::getenv("EDGEC_TEST_ISA");
    return apply_isa_limit(wanted ? parse_isa(wanted).value_or(Isa::amx) : Isa::amx);
  }();
  return isa;
}

inline std::int64_t pick(Random &random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(high - low + 1)));
}

inline Window random_window(Random &random, std::int64_t largest_in) {
  for (;;) {
    Window w{.in = pick(random, 1, largest_in),
             .kernel = pick(random, 1, 4),
             .stride = pick(random, 1, 3),
             .dilation = random.below(4) == 0 ? 2 : 1};
    if (random.below(2)) w.pad_begin = pick(random, 0, w.reach()), w.pad_end = pick(random, 0, w.reach());
    const std::int64_t room = w.in + w.pad_begin + w.pad_end - w.reach() - 1;
    if (room < 0) continue;
    w.out = room / w.stride + 1;
    return w;
  }
}

inline ConvShape random_conv(Random &random) {
  ConvShape s;
  s.batch = pick(random, 1, 2);
  const bool pointwise = random.below(3) == 0;
  s.rank = random.below(12) == 0 ? 3 : random.below(6) == 0 ? 1 : 2;
  for (int i = 3 - s.rank; i < 3; ++i) {
    Window &axis = s.axes[static_cast<std::size_t>(i)];
    axis = random_window(random, s.rank == 3 ? 5 : 12);
    if (pointwise) axis = {.in = axis.in, .out = axis.in};
  }
  if (random.below(3) == 0) { // depthwise or grouped
    const bool depthwise = random.below(2) == 0;
    s.groups = depthwise ? pick(random, 2, 70) : pick(random, 2, 4);
    s.in_channels = s.groups * (depthwise ? 1 : pick(random, 1, 20));
    s.out_channels = s.groups * (depthwise ? random.below(4) ? 1 : 2 : pick(random, 1, 20));
  } else {
    s.in_channels = pick(random, 1, 5) == 5 ? pick(random, 100, 300) : pick(random, 1, 70);
    s.out_channels = pick(random, 1, 90);
  }
  return s;
}

inline std::string describe(const ConvShape &s) {
  std::ostringstream out;
  out << "batch " << s.batch << " groups " << s.groups << " " << s.in_channels << "->" << s.out_channels;
  for (int i = 3 - s.rank; i < 3; ++i) {
    const Window &w = s.axes[static_cast<std::size_t>(i)];
    out << " [in " << w.in << " out " << w.out << " k " << w.kernel << " s " << w.stride << " d " << w.dilation << " p "
        << w.pad_begin << "," << w.pad_end << "]";
  }
  return out.str();
}

/// [batch, channels, area] and [batch, area, channels].
template <class T>
std::vector<T> to_channels_last(const std::vector<T> &x, std::int64_t batch, std::int64_t channels, std::int64_t area) {
  std::vector<T> y(x.size());
  for (std::int64_t n = 0; n < batch; ++n)
    for (std::int64_t c = 0; c < channels; ++c)
      for (std::int64_t i = 0; i < area; ++i)
        y[static_cast<std::size_t>((n * area + i) * channels + c)] =
            x[static_cast<std::size_t>((n * channels + c) * area + i)];
  return y;
}
template <class T>
std::vector<T> to_plain(const std::vector<T> &x, std::int64_t batch, std::int64_t channels, std::int64_t area) {
  return to_channels_last(x, batch, area, channels);
}

/// Bytes that end where the block ends, so that a sanitizer sees a read beyond them; 64-byte aligned if asked.
inline void run_kernel(const Kernel &kernel, std::vector<const std::byte *> inputs, std::byte *output) {
  const std::unique_ptr<std::byte, decltype(&std::free)> scratch(
      static_cast<std::byte *>(std::aligned_alloc(64, (kernel.scratch_bytes + 127) / 64 * 64)), &std::free);
  std::byte *const outputs[] = {output};
  kernel.run({inputs, outputs, scratch.get()});
}

} // namespace edgec::test
