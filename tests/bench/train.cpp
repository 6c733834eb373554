// A step of training: forward and backward of a shard, without its optimizer. EDGEC_BENCH_MODEL names another network
// than models/digits_cnn.onnx, EDGEC_BENCH_PRECISION=bfloat16 rounds operands of products, EDGEC_BENCH_BYTES is what
// values may take before some are computed again; --profile lists the steps of the plan by time.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include <fmt/format.h>

#include "formats/onnx/onnx.h"
#include "ir/node_view.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "support/random.h"
#include "train/narrow_products.h"
#include "train/objective.h"
#include "train/recompute.h"

namespace edgec {
namespace {

constexpr std::int64_t rows = 8;

/// A plan of the gradients of all weights and biases, and what it is fed.
struct TrainingStep {
  std::shared_ptr<const Plan> plan;
  std::vector<RuntimeValue> feeds;
};

Tensor random_tensor(const Dims &dims, Random &random) {
  std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
  for (float &value : values) value = static_cast<float>(random.uniform(-1, 1));
  return Tensor::of(dims, std::move(values));
}

std::vector<ValueId> weights_and_biases(const Graph &graph) {
  std::set<ValueId> found;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const auto info = weights_of(graph, node, all_ops());
    if (!info) continue;
    found.insert(node.input(info->weight));
    if (info->bias && node.input(*info->bias).valid()) found.insert(node.input(*info->bias));
  }
  return {found.begin(), found.end()};
}

Result<TrainingStep> make_step(const std::string &path) {
  EDGEC_ASSIGN(const Model model, read_onnx(path));
  std::vector<Type> inputs;
  for (const ValueId id : model.graph.inputs()) {
    Type type = model.graph.value(id).type;
    for (Dim &dim : *type.shape)
      if (!dim.is_known()) dim = Dim::known(1);
    inputs.push_back(type);
  }
  EDGEC_ASSIGN(const Graph graph, with_batch(model.graph, all_ops(), inputs, rows));
  const std::vector<ValueId> parameters = weights_and_biases(graph);
  const std::vector<double> powers(answers_of(graph).size(), 1);
  EDGEC_ASSIGN(Objective objective, make_objective(graph, all_ops(), parameters, Loss::squared_error, powers));
  if (const char *precision = std::getenv("EDGEC_BENCH_PRECISION");
      precision && std::string_view(precision) == "bfloat16")
    narrow_products(objective.graph, all_ops());
  if (const char *bytes = std::getenv("EDGEC_BENCH_BYTES"))
    fit_into(objective.graph, objective.loss, objective.gradients, std::strtoull(bytes, nullptr, 10));
  TrainingStep step;
  Random random(1);
  std::vector<Type> types;
  for (const ValueId id : objective.graph.inputs()) {
    types.push_back(objective.graph.value(id).type);
    step.feeds.emplace_back(random_tensor(*types.back().concrete(), random));
  }
  PlanOptions options;
  options.isa = detect_isa();
  options.fetches = objective.gradients;
  EDGEC_ASSIGN(step.plan, Plan::compile(objective.graph, all_ops(), types, options));
  return step;
}

std::string model_path() {
  const char *named = std::getenv("EDGEC_BENCH_MODEL");
  return named ? named : "models/digits_cnn.onnx";
}

void forward_and_backward(benchmark::State &state) {
  auto step = make_step(model_path());
  if (!step) return state.SkipWithError(step.error().message.c_str());
  Session session(step->plan);
  for (auto _ : state) benchmark::DoNotOptimize(session.run(step->feeds));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * rows);
}
BENCHMARK(forward_and_backward)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();

int profile() {
  auto step = make_step(model_path());
  if (!step) return fmt::print("{}\n", step.error().message), 1;
  Session session(step->plan);
  std::vector<double> seconds;
  constexpr int runs = 5;
  for (int i = 0; i < runs; ++i)
    if (auto done = session.run(step->feeds, nullptr, &seconds); !done) return 1;
  std::map<std::string, double> sums;
  double all = 0;
  const auto steps = step->plan->steps();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    sums[steps[i].op + " | " + steps[i].kernel] += seconds[i];
    all += seconds[i];
  }
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto &[what, time] : sums) sorted.emplace_back(time, what);
  std::ranges::sort(sorted, std::greater{});
  for (const auto &[time, what] : sorted)
    fmt::print("{:8.3f} ms {:5.1f} %  {}\n", 1000 * time / runs, 100 * time / all, what);
  fmt::print("{:8.3f} ms a shard of {}, an arena of {} bytes\n", 1000 * all / runs, rows, step->plan->arena_bytes());
  return 0;
}

} // namespace
} // namespace edgec

int main(int argc, char **argv) {
  if (argc > 1 && std::strcmp(argv[1], "--profile") == 0) return edgec::profile();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
