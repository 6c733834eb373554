#include "measure/paired_latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "measure/fidelity.h"
#include "support/cancel.h"
#include "support/random.h"

namespace edgec {
namespace {

class Repeated {
public:
  Repeated(const std::shared_ptr<const Plan> &plan, const Sample &sample)
      : session_(plan), feeds_(sample.begin(), sample.end()) {}
  Result<double> seconds() {
    const auto begin = std::chrono::steady_clock::now();
    EDGEC_CHECK(session_.run(feeds_));
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

private:
  Session session_;
  std::vector<RuntimeValue> feeds_;
};

} // namespace

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

Result<PairedLatency> measure_pair(const std::shared_ptr<const Plan> &first, const Sample &first_sample,
                                   const std::shared_ptr<const Plan> &second, const Sample &second_sample,
                                   const LatencyOptions &options) {
  constexpr std::size_t most_rounds = 20'000;
  Repeated a(first, first_sample), b(second, second_sample);
  PairedLatency pair;
  double total = 0;
  for (std::size_t round = 0; round < options.warm_up + most_rounds; ++round) {
    if (pair.first.size() >= options.least_runs && total >= 2 * options.least_seconds) break;
    EDGEC_CHECK(check_interrupted());
    double one = 0, other = 0;
    if (round % 2 == 0) {
      EDGEC_ASSIGN(one, a.seconds());
    }
    EDGEC_ASSIGN(other, b.seconds());
    if (round % 2 == 1) {
      EDGEC_ASSIGN(one, a.seconds());
    }
    if (round < options.warm_up) continue;
    pair.first.push_back(one);
    pair.second.push_back(other);
    total += one + other;
  }
  return pair;
}

Result<PairedLatency> measure_pair(const Graph &first, const Graph &second, const OpRegistry &ops, const Sample &sample,
                                   Isa isa, const LatencyOptions &options) {
  const PlanOptions running{.isa = isa};
  const Sample first_sample = as_inputs(first, sample), second_sample = as_inputs(second, sample);
  EDGEC_ASSIGN(const auto first_plan, plan_for(first, ops, first_sample, running));
  EDGEC_ASSIGN(const auto second_plan, plan_for(second, ops, second_sample, running));
  return measure_pair(first_plan, first_sample, second_plan, second_sample, options);
}

LatencyRatio latency_ratio(const PairedLatency &pair) {
  constexpr std::size_t most_blocks = 100, draws = 2000;
  const std::size_t rounds = pair.first.size(), block = (rounds + most_blocks - 1) / most_blocks;
  const std::size_t blocks = (rounds + block - 1) / block;
  Random random(1);
  std::vector<double> ratios, first, second;
  for (std::size_t draw = 0; draw < draws; ++draw) {
    first.clear(), second.clear();
    for (std::size_t i = 0; i < blocks; ++i) {
      const std::size_t begin = block * random.below(blocks), end = std::min(rounds, begin + block);
      first.insert(first.end(), pair.first.begin() + static_cast<std::ptrdiff_t>(begin),
                   pair.first.begin() + static_cast<std::ptrdiff_t>(end));
      second.insert(second.end(), pair.second.begin() + static_cast<std::ptrdiff_t>(begin),
                    pair.second.begin() + static_cast<std::ptrdiff_t>(end));
    }
    ratios.push_back(median(first) / median(second));
  }
  std::ranges::sort(ratios);
  return {median(pair.first) / median(pair.second), ratios[draws / 40], ratios[draws - 1 - draws / 40]};
}

} // namespace edgec
