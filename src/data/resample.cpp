// Antialiased resampling as in Pillow's libImaging/Resample.c: separable, the filter widened by the
// scale where the image shrinks, weights in 22-bit fixed point, each pass rounded and clipped to 8 bits.
//
// Both passes are the same one over rows, with the image transposed around the first: whole rows are multiplied by one
// weight, which the compiler turns into vector code.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/image.h"

namespace edgec {
namespace {

constexpr int precision = 22; // 32 - 8 bits of a pixel - 2 of overshoot

double weight_at(Filter filter, double x) {
  x = std::abs(x);
  if (filter == Filter::bilinear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5; // Keys 1981
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/// The input rows that an output row is made of, and their weights times 2^22.
struct Window {
  int first = 0;
  std::vector<std::int32_t> weights;
};

Window window_of(int out, double scale, int in_size, Filter filter) {
  const double stretch = std::max(scale, 1.0);
  const double support = (filter == Filter::bilinear ? 1.0 : 2.0) * stretch;
  const double centre = (out + 0.5) * scale;
  const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
  const int last = std::min(static_cast<int>(centre + support + 0.5), in_size);
  std::vector<double> reals;
  double sum = 0;
  for (int i = first; i < last; ++i) {
    reals.push_back(weight_at(filter, (i - centre + 0.5) * (1.0 / stretch)));
    sum += reals.back();
  }
  Window window{first, {}};
  for (double real : reals) {
    if (sum != 0) real /= sum;
    window.weights.push_back(static_cast<std::int32_t>((real < 0 ? -0.5 : 0.5) + real * (1 << precision)));
  }
  return window;
}

void accumulate(std::int32_t *sums, const std::uint8_t *from, std::int32_t weight, std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) sums[i] += from[i] * weight;
}

void round_to_bytes(std::uint8_t *to, const std::int32_t *sums, std::size_t count) {
#pragma omp simd
  for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<std::uint8_t>(std::clamp(sums[i] >> precision, 0, 255));
}

template <int channels>
void transpose_pixels(const Image &image, Image &out) {
  constexpr int tile = 16; // keeps both sides in the cache
  for (int top = 0; top < image.height; top += tile) {
    const int bottom = std::min(top + tile, image.height);
    for (int x = 0; x < image.width; ++x) {
      std::uint8_t *to = out.at(top, x);
      for (int y = top; y < bottom; ++y, to += channels) std::memcpy(to, image.at(x, y), channels);
    }
  }
}

Image transpose(const Image &image) {
  Image out(image.height, image.width, image.channels);
  image.channels == 1 ? transpose_pixels<1>(image, out) : transpose_pixels<3>(image, out);
  return out;
}

Image resize_rows(const Image &image, int height, Filter filter) {
  Image out(image.width, height, image.channels);
  const std::size_t row = static_cast<std::size_t>(image.width) * image.channels;
  std::vector<std::int32_t> sums(row);
  const double scale = static_cast<double>(image.height) / height;
  for (int y = 0; y < height; ++y) {
    const Window window = window_of(y, scale, image.height, filter);
    std::fill(sums.begin(), sums.end(), 1 << (precision - 1));
    for (std::size_t tap = 0; tap < window.weights.size(); ++tap) {
      const std::uint8_t *from = image.at(0, window.first + static_cast<int>(tap));
      const std::int32_t weight = window.weights[tap];
      accumulate(sums.data(), from, weight, row);
    }
    round_to_bytes(out.at(0, y), sums.data(), row);
  }
  return out;
}

Image resize_columns(const Image &image, int width, Filter filter) {
  return transpose(resize_rows(transpose(image), width, filter));
}

} // namespace

Image resize(const Image &image, int width, int height, Filter filter) {
  if (width == image.width) return height == image.height ? image : resize_rows(image, height, filter);
  if (height == image.height) return resize_columns(image, width, filter);
  // Pillow 13 starts with the rows where that saves work. The 8-bit values between the passes make the order visible.
  const bool rows_first = height < image.height && 2L * (image.width - width) < image.height - height;
  if (rows_first) return resize_columns(resize_rows(image, height, filter), width, filter);
  return resize_rows(resize_columns(image, width, filter), height, filter);
}

Image resize_shorter_side(const Image &image, int side, Filter filter) {
  const auto longer = [&](int length, int shorter) {
    return static_cast<int>(static_cast<std::int64_t>(side) * length / shorter);
  };
  if (image.width <= image.height) return resize(image, side, longer(image.height, image.width), filter);
  return resize(image, longer(image.width, image.height), side, filter);
}

} // namespace edgec
