#include "measure/latency.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "support/cancel.h"

namespace edgec {

double Latency::quantile(double share) const {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(seconds.size())));
  return seconds[std::clamp<std::size_t>(rank, 1, seconds.size()) - 1];
}

double Latency::spread() const { return (quantile(0.75) - quantile(0.25)) / 2 / quantile(0.5); }

Result<Latency> measure_latency(const std::shared_ptr<const Plan> &plan, const Sample &sample,
                                const LatencyOptions &options) {
  constexpr std::size_t most_runs = 100'000;
  Session session(plan);
  const std::vector<RuntimeValue> feeds(sample.begin(), sample.end());
  Latency latency;
  latency.arena_bytes = plan->arena_bytes();
  latency.scratch_bytes = plan->scratch_bytes();
  for (std::size_t i = 0; i < options.warm_up; ++i) {
    EDGEC_CHECK(check_interrupted());
    EDGEC_CHECK(session.run(feeds));
  }
  double total = 0;
  while (latency.seconds.size() < most_runs &&
         (latency.seconds.size() < options.least_runs || total < options.least_seconds)) {
    EDGEC_CHECK(check_interrupted());
    const auto begin = std::chrono::steady_clock::now();
    EDGEC_CHECK(session.run(feeds));
    latency.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    total += latency.seconds.back();
  }
  std::vector<double> step_seconds; // apart, since reading the clock at every step costs time
  const std::size_t profiled = std::min<std::size_t>(latency.seconds.size(), 20);
  for (std::size_t i = 0; i < profiled; ++i) EDGEC_CHECK(session.run(feeds, nullptr, &step_seconds));
  const auto steps = plan->steps();
  for (std::size_t i = 0; i < steps.size() && i < step_seconds.size(); ++i)
    latency.steps.push_back({steps[i], step_seconds[i] / static_cast<double>(profiled)});
  std::ranges::sort(latency.seconds);
  return latency;
}

Result<std::shared_ptr<const Plan>> plan_for(const Graph &graph, const OpRegistry &ops, const Sample &sample,
                                             const PlanOptions &options) {
  std::vector<Type> types;
  for (const Tensor &tensor : sample) types.push_back(Type::of(tensor));
  return Plan::compile(graph, ops, types, options);
}

std::size_t peak_memory_bytes() {
  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

} // namespace edgec
