// How fast the coders of an .edgec file are: weights of a 3 x 3 convolution, codes as rate-distortion rounding leaves
// them. Items are codes (or floats); the argument is a hundredth of the codes' scale.
#include <benchmark/benchmark.h>
#include <bit>
#include <cmath>

#include "codec/code_cost.h"
#include "codec/context_coder.h"
#include "codec/float_coder.h"
#include "codec/rans.h"
#include "codec/zstd.h"
#include "support/random.h"

namespace edgec {
namespace {

constexpr CodeShape shape{256, 128, 9};

std::vector<std::int8_t> weights(double scale) {
  Random random(1);
  std::vector<double> rows(shape.rows), columns(shape.columns);
  for (double &row : rows) row = std::exp2(2 * random.uniform() - 1);
  for (double &column : columns) column = std::exp2(2 * random.uniform() - 1);
  std::vector<std::int8_t> codes;
  for (const double row : rows)
    for (const double column : columns)
      for (std::size_t k = 0; k < shape.taps; ++k)
        codes.push_back(static_cast<std::int8_t>(std::clamp(random.normal() * scale * row * column, -127.0, 127.0)));
  return codes;
}

void count(benchmark::State &state, std::size_t items, std::size_t bytes) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * items));
  state.counters["bits"] = static_cast<double>(bytes) * 8 / static_cast<double>(items);
}

void rans_decode(benchmark::State &state) {
  const auto codes = weights(static_cast<double>(state.range(0)) / 100);
  const auto stream = encode_rans(codes, shape, plan_rans(codes, shape));
  std::vector<std::int8_t> read(codes.size());
  for (auto _ : state) benchmark::DoNotOptimize(decode_rans(stream, shape, read));
  count(state, codes.size(), stream.size());
}

void context_decode(benchmark::State &state) {
  const auto codes = weights(static_cast<double>(state.range(0)) / 100);
  const auto stream = encode_contexts(codes, {&shape, 1});
  std::vector<std::int8_t> read(codes.size());
  for (auto _ : state) benchmark::DoNotOptimize(decode_contexts(stream, {&shape, 1}, read));
  count(state, codes.size(), stream.size());
}

void zstd_decode(benchmark::State &state) {
  const auto codes = weights(static_cast<double>(state.range(0)) / 100);
  const auto stream = zstd_compress(std::as_bytes(std::span(codes)), 19);
  for (auto _ : state) benchmark::DoNotOptimize(zstd_decompress(stream, codes.size()));
  count(state, codes.size(), stream.size());
}

void estimate(benchmark::State &state) {
  const auto codes = weights(static_cast<double>(state.range(0)) / 100);
  for (auto _ : state) benchmark::DoNotOptimize(estimated_bits(codes, shape));
  count(state, codes.size(), coded_size(codes, shape));
}

void float_decode(benchmark::State &state) {
  Random random(2);
  std::vector<std::uint32_t> floats(1 << 18);
  for (std::uint32_t &each : floats) each = std::bit_cast<std::uint32_t>(static_cast<float>(random.normal()));
  const auto stream = encode_floats(floats);
  std::vector<std::uint32_t> read(floats.size());
  for (auto _ : state) benchmark::DoNotOptimize(decode_floats(stream, read));
  count(state, floats.size(), stream.size());
}

BENCHMARK(rans_decode)->Arg(30)->Arg(100)->Arg(400)->Unit(benchmark::kMillisecond);
BENCHMARK(context_decode)->Arg(30)->Arg(100)->Arg(400)->Unit(benchmark::kMillisecond);
BENCHMARK(zstd_decode)->Arg(30)->Arg(100)->Arg(400)->Unit(benchmark::kMillisecond);
BENCHMARK(estimate)->Arg(30)->Arg(100)->Arg(400)->Unit(benchmark::kMillisecond);
BENCHMARK(float_decode)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace edgec

BENCHMARK_MAIN();
