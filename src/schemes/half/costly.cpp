#include "schemes/half/costly.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "measure/fidelity.h"
#include "measure/sizes.h"
#include "runtime/parts.h"
#include "schemes/fitting/held_out.h"
#include "support/parallel.h"

namespace edgec {
namespace {

constexpr double wanted_db = 58;    // 55, and some for other samples
constexpr double most_float = 0.05; // of the constants' bytes
constexpr std::size_t rounds = 8;   // in which layers are left

using Outputs = std::vector<std::vector<double>>;

/// Runs networks beside the float one on a few samples.
class Judge {
public:
  Judge(const Graph &graph, const Job &job) : graph_(graph), job_(job) {}

  Status start() {
    for (const std::size_t index : some_of(job_.samples, count())) {
      EDGEC_ASSIGN(const Sample sample, job_.calibration->load(index));
      samples_.emplace_back(sample.begin(), sample.end());
    }
    EDGEC_ASSIGN(expected_, run(graph_));
    return {};
  }

  /// Of the output that suffers most, noise beside signal.
  [[nodiscard]] Result<double> noise_of(const Result<Graph> &test) const {
    if (!test) return test.error();
    EDGEC_ASSIGN(const auto found, run(*test));
    double worst = 0;
    for (std::size_t k = 0; k < graph_.outputs().size(); ++k) {
      Noise noise;
      for (std::size_t s = 0; s < found.size(); ++s)
        if (found[s][k].size() == expected_[s][k].size()) noise.add(expected_[s][k], found[s][k]);
      if (noise.signal > 0) worst = std::max(worst, noise.noise / noise.signal);
      if (std::isnan(noise.noise)) worst = INFINITY;
    }
    return worst;
  }

private:
  const Graph &graph_;
  const Job &job_;
  std::vector<std::vector<RuntimeValue>> samples_;
  std::vector<Outputs> expected_; // of each sample; empty: no numbers

  /// More samples of a small network than of a large one.
  [[nodiscard]] std::size_t count() const {
    constexpr double least = 2, most = 8, most_macs = 2e9;
    return static_cast<std::size_t>(
        std::clamp(most_macs / std::max(1.0, measure_sizes(graph_, job_.ops, false).macs), least, most));
  }

  [[nodiscard]] Result<std::vector<Outputs>> run(const Graph &graph) const {
    PlanOptions options;
    options.isa = job_.isa;
    Runner runner(graph, job_.ops, options);
    std::vector<Outputs> found(samples_.size());
    EDGEC_CHECK(parallel_for(samples_.size(), job_.threads, [&](std::size_t s, int worker) -> Status {
      EDGEC_ASSIGN(const auto results, runner.run(samples_[s], worker));
      for (const RuntimeValue &value : results)
        found[s].push_back(value.tensor && is_float(value.tensor->dtype) ? to_doubles(*value.tensor)
                                                                         : std::vector<double>{});
      return {};
    }));
    return found;
  }
};

struct Price {
  NodeId node;
  double noise = 0;
  std::size_t bytes = 0; ///< of constants
};

std::size_t float_bytes(const Graph &graph, NodeId id) {
  std::size_t bytes = 0;
  for (const ValueId v : graph.node(id).inputs)
    if (const Tensor *data = graph.constant(v); data != nullptr && data->dtype == DType::float32)
      bytes += data->data.size();
  return bytes;
}

/// What each layer costs alone, those first that cost most for their bytes.
Result<std::vector<Price>> prices(const Graph &graph, const HalfPlan &plan, const Judge &judge, std::size_t allowance,
                                  const Narrowing &narrowed, const Job &job) {
  std::vector<Price> found;
  std::size_t done = 0;
  for (const NodeId id : plan.nodes) {
    if (job.progress) job.progress("judging layers", ++done, plan.nodes.size());
    const OpDef *op = job.ops.find(graph.node(id));
    const std::size_t bytes = float_bytes(graph, id);
    if (op == nullptr || op->weights == nullptr || bytes == 0 || bytes > allowance) continue;
    HalfPlan alone;
    alone.nodes.insert(id);
    alone.exact = plan.nodes;
    alone.exact.erase(id);
    EDGEC_ASSIGN(const double noise, judge.noise_of(narrowed(alone)));
    found.push_back({id, noise, bytes});
  }
  std::ranges::stable_sort(found, std::ranges::greater(),
                           [](const Price &price) { return price.noise / static_cast<double>(price.bytes); });
  return found;
}

} // namespace

Status leave_costly(const Graph &graph, HalfPlan &plan, const Narrowing &narrowed, const Job &job) {
  if (job.calibration == nullptr || job.samples.empty() || plan.nodes.empty()) return {};
  Judge judge(graph, job);
  if (const Status started = judge.start(); !started)
    return started.error().code == Code::interrupted ? started : Status(); // why was said with the ranges
  const double most_noise = std::pow(10, -wanted_db / 10);
  EDGEC_ASSIGN(double noise, judge.noise_of(narrowed(plan)));
  if (noise <= most_noise) return {};
  auto allowance = static_cast<std::size_t>(most_float * static_cast<double>(constant_bytes(graph)));
  EDGEC_ASSIGN(auto costs, prices(graph, plan, judge, allowance, narrowed, job));
  const std::size_t step = (costs.size() + rounds - 1) / rounds;
  for (std::size_t k = 0; k < costs.size() && noise > most_noise;) {
    for (const std::size_t end = std::min(k + step, costs.size()); k < end; ++k) {
      if (costs[k].bytes > allowance) continue;
      allowance -= costs[k].bytes;
      plan.leave(costs[k].node,
                 fmt::format("as float16 it alone would leave {:.1f} dB", -10 * std::log10(costs[k].noise)));
    }
    leave_islands(graph, plan, job);
    EDGEC_ASSIGN(noise, judge.noise_of(narrowed(plan)));
  }
  return {};
}

} // namespace edgec
