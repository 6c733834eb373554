// How fast the pieces of calibration and of a walk over the samples are, one thread: a network of two convolutions with
// as many channels as the argument, on planes of 28 x 28.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "calibrate/layer_moments.h"
#include "calibrate/walk.h"
#include "ir/text.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "support/random.h"

namespace edgec {
namespace {

constexpr std::size_t samples = 16, side = 28;

std::vector<float> normal(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> made(count);
  for (float &x : made) x = static_cast<float>(random.normal());
  return made;
}

/// Samples that cost nothing to load.
class Planes : public SampleSet {
public:
  explicit Planes(std::int64_t channels) {
    const Dims dims{1, channels, side, side};
    for (std::size_t i = 0; i < samples; ++i)
      made_.push_back({Tensor::of<float>(dims, normal(static_cast<std::size_t>(channels) * side * side, i))});
  }
  [[nodiscard]] std::size_t size() const override { return made_.size(); }
  [[nodiscard]] Result<Sample> load(std::size_t index) const override { return made_[index]; }
  [[nodiscard]] std::string label(std::size_t index) const override { return fmt::format("planes {}", index); }
  [[nodiscard]] std::string description() const override { return "planes"; }

private:
  std::vector<Sample> made_;
};

/// The network, its samples, and what is looked at.
struct Job {
  explicit Job(std::int64_t channels) : planes(channels) {
    graph = parse_graph(fmt::format(R"(<opset_import: ["" : 21]>
      g (float[1,{0},28,28] x, float[{0},{0},3,3] v, float[{0},{0},3,3] w) => (float[1,{0},28,28] y) {{
        a = Conv<pads = [1, 1, 1, 1], kernel_shape = [3, 3]>(x, v)
        b = Relu(a)
        y = Conv<pads = [1, 1, 1, 1], kernel_shape = [3, 3]>(b, w)
      }})",
                                    channels))
                .value();
    const auto weights = [&](std::uint64_t seed) {
      return graph.add_constant(Tensor::of<float>({channels, channels, 3, 3},
                                                  normal(static_cast<std::size_t>(channels * channels) * 9, seed)));
    };
    graph.set_input(graph.nodes()[0], 1, weights(100));
    graph.set_input(graph.nodes()[2], 1, weights(101));
    for (const ValueId input : {graph.inputs()[2], graph.inputs()[1]}) graph.remove(input);
    if (const Status typed = infer_types(graph, all_ops()); !typed) throw std::logic_error(typed.error().message);
    for (std::size_t i = 0; i < samples; ++i) which.push_back(i);
    hidden = graph.node(graph.nodes()[2]).inputs[0];
  }

  [[nodiscard]] Walk walk() const {
    return {graph, all_ops(), planes, which, {graph.inputs()[0], hidden}, {1, detect_isa()}};
  }

  Planes planes;
  Graph graph;
  std::vector<std::size_t> which;
  ValueId hidden; ///< what the second convolution reads
};

/// Values behind a Relu: half of them share a bin.
void histogram(benchmark::State &state) {
  std::vector<float> values = normal(static_cast<std::size_t>(state.range(0)), 1);
  for (float &x : values) x = std::max(x, 0.0F);
  LogHistogram counts;
  for (auto _ : state) counts.add(values);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void calibration_pass(benchmark::State &state) {
  const Job job(state.range(0));
  CalibrationOptions options{.ranges = {job.hidden, job.graph.outputs()[0].value}, .histograms = true};
  options.channel_means = options.ranges;
  options.isa = detect_isa();
  for (auto _ : state)
    benchmark::DoNotOptimize(calibrate(job.graph, all_ops(), job.planes, job.which, options).value());
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(samples));
}

/// From the input to the second convolution, and a look at what that gives.
void walk_step(benchmark::State &state) {
  const Job job(state.range(0));
  for (auto _ : state) {
    Walk walk = job.walk();
    if (!walk.reach(job.hidden)) return state.SkipWithError("the walk failed");
    benchmark::DoNotOptimize(walk.observe({{job.graph.outputs()[0].value, Interval{}}}).value());
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(samples));
}

/// Of the second convolution, 128 positions a sample.
void moments(benchmark::State &state) {
  const Job job(state.range(0));
  Walk original = job.walk(), now = job.walk();
  if (!original.reach(job.hidden) || !now.reach(job.hidden)) return state.SkipWithError("the walk failed");
  const NodeId layer = job.graph.nodes()[2];
  const Node &node = job.graph.node(layer);
  const Type &type = job.graph.value(job.hidden).type;
  const LayerInputs inputs{layer, job.hidden, job.hidden,           type,
                           type,  &node,      all_ops().find(node), job.graph.constant(node.inputs[1])->dims};
  for (auto _ : state) benchmark::DoNotOptimize(layer_moments(original, now, inputs, samples, 2, 128, 1).value());
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(samples));
}

BENCHMARK(histogram)->Arg(1000)->Arg(16000)->Arg(200000)->Unit(benchmark::kMicrosecond);
BENCHMARK(calibration_pass)->Arg(16)->Arg(64)->Unit(benchmark::kMillisecond);
BENCHMARK(walk_step)->Arg(16)->Arg(64)->Unit(benchmark::kMillisecond);
BENCHMARK(moments)->Arg(16)->Arg(64)->Unit(benchmark::kMillisecond);

} // namespace
} // namespace edgec

BENCHMARK_MAIN();
