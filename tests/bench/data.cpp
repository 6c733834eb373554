// How fast a picture becomes an input, one thread: a JPEG of 512 x 384 pixels. Items are pixels of it.
#include <benchmark/benchmark.h>
#include <turbojpeg.h>

#include "data/image.h"
#include "data/preprocess.h"
#include "support/random.h"

namespace edgec {
namespace {

constexpr int width = 512, height = 384;

/// Smooth colours and some noise: as compressible as a photograph.
Image picture() {
  Image image(width, height, 3);
  Random random(1);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c)
        image.at(x, y)[c] = static_cast<std::uint8_t>((x + 2 * y + 40 * c) / 8 + static_cast<int>(random.below(24)));
  return image;
}

std::vector<std::byte> jpeg_of(const Image &image) {
  const tjhandle encoder = tjInitCompress();
  unsigned char *bytes = nullptr;
  unsigned long size = 0;
  tjCompress2(encoder, image.pixels.data(), width, 0, height, TJPF_RGB, &bytes, &size, TJSAMP_420, 90, 0);
  const auto *first = reinterpret_cast<const std::byte *>(bytes);
  std::vector<std::byte> file(first, first + size);
  tjFree(bytes);
  tjDestroy(encoder);
  return file;
}

void count(benchmark::State &state) { state.SetItemsProcessed(state.iterations() * width * height); }

void decode(benchmark::State &state) {
  const auto file = jpeg_of(picture());
  for (auto _ : state) benchmark::DoNotOptimize(decode_jpeg(file).value());
  count(state);
}

void resample(benchmark::State &state) {
  const Image image = picture();
  const auto side = static_cast<int>(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(resize_shorter_side(image, side, Filter::bilinear));
  count(state);
}

/// Resized, cropped and normalized.
void prepare(benchmark::State &state) {
  const Image image = picture();
  const Preprocess rule = *parse_preprocess("imagenet").value();
  const InputSpec input{"x", Type::tensor(DType::float32, Dims{1, 3, 224, 224})};
  for (auto _ : state) benchmark::DoNotOptimize(prepare_image(image, rule, input).value());
  count(state);
}

BENCHMARK(decode)->Unit(benchmark::kMillisecond);
BENCHMARK(resample)->Arg(256)->Arg(128)->Unit(benchmark::kMillisecond);
BENCHMARK(prepare)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace edgec

BENCHMARK_MAIN();
