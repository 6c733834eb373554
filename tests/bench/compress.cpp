// How fast the numbers of second-order compression are, one thread: a layer of 128 output channels and as many columns
// as the argument. Items are weights.
#include <benchmark/benchmark.h>

#include "compress/gram.h"
#include "compress/rate_distortion.h"
#include "compress/refit.h"
#include "compress/rounding.h"
#include "support/random.h"

namespace edgec {
namespace {

constexpr std::size_t rows = 128;

Matrix normal(std::size_t count, std::size_t columns, std::uint64_t seed) {
  Random random(seed);
  Matrix made(count, columns);
  for (double &x : made.data) x = random.normal();
  return made;
}

/// Second moments of inputs that depend on half as many sources.
Covariance covariance_of(std::size_t columns, std::uint64_t seed) {
  Covariance made{1000, std::vector<double>(columns), std::vector<double>(columns), {}, {}};
  const Matrix sources = normal(columns, columns / 2 + 1, seed);
  made.h = product_transposed(sources, sources);
  for (std::size_t i = 0; i < columns; ++i) made.h(i, i) += 0.1 * static_cast<double>(columns);
  made.c = made.h;
  return made;
}

void count(benchmark::State &state) {
  state.SetItemsProcessed(state.iterations() * state.range(0) * static_cast<std::int64_t>(rows));
}

void cross_validated_refit(benchmark::State &state) {
  const auto columns = static_cast<std::size_t>(state.range(0));
  const FitGroup group{
      normal(rows, columns, 1), covariance_of(columns, 2), {covariance_of(columns, 3), covariance_of(columns, 4)}};
  for (auto _ : state) benchmark::DoNotOptimize(refit({&group, 1}, 1).value());
  count(state);
}

void gptq_rounding(benchmark::State &state) {
  const auto columns = static_cast<std::size_t>(state.range(0));
  const Matrix weights = normal(rows, columns, 1), h = covariance_of(columns, 2).h;
  for (auto _ : state) {
    const RoundingMetric metric(h, 0.01);
    std::vector<float> scales(rows, 3.0F / 127);
    benchmark::DoNotOptimize(round_rows(weights, scales, metric, {.levels = 127, .sweeps = 4}, false).value());
  }
  count(state);
}

void rate_distortion(benchmark::State &state) {
  const auto columns = static_cast<std::size_t>(state.range(0));
  const RateGroup group{normal(rows, columns, 1), covariance_of(columns, 2).h};
  for (auto _ : state) benchmark::DoNotOptimize(round_for_rate({&group, 1}, {.lambda = 0.1, .taps = 9}).value());
  count(state);
}

void gram_product(benchmark::State &state) {
  const auto columns = static_cast<std::size_t>(state.range(0));
  constexpr std::size_t positions = 2048;
  const std::vector<float> inputs(positions * columns, 0.5F);
  std::vector<float> sums(columns * columns);
  for (auto _ : state) {
    gram(positions, inputs.data(), columns, columns, inputs.data(), columns, columns, sums.data());
    benchmark::DoNotOptimize(sums.data());
  }
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * positions * static_cast<double>(columns * columns),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(cross_validated_refit)->Arg(144)->Arg(576)->Unit(benchmark::kMillisecond);
BENCHMARK(gptq_rounding)->Arg(144)->Arg(576)->Unit(benchmark::kMillisecond);
BENCHMARK(rate_distortion)->Arg(144)->Arg(576)->Unit(benchmark::kMillisecond);
BENCHMARK(gram_product)->Arg(144)->Arg(576)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace edgec

BENCHMARK_MAIN();
