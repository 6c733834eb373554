#include "schemes/int8/mixed_precision.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "measure/score.h"
#include "measure/sizes.h"
#include "schemes/fitting/held_out.h"
#include "schemes/int8/options.h"
#include "schemes/int8/retype.h"
#include "schemes/rate/options.h"

namespace edgec {
namespace {

double points_of(const Fidelity &fidelity) {
  const auto drop = drop_of(fidelity);
  return drop ? drop->points : 0;
}

double noise_of(const Fidelity &fidelity) { return std::pow(10, -fidelity.sqnr_db() / 10); }

/// Whether the samples show, with confidence, that little enough is lost. A metric of which nobody knows how it varies
/// is taken as it is.
bool is_proven(const Fidelity &fidelity, double max_drop) {
  const auto drop = drop_of(fidelity);
  return drop && drop->answers > 0 && drop->bound.value_or(drop->points) <= max_drop;
}

/// By what --max-drop counts.
Result<Fidelity> judge_quantized(const Int8Source &source, const Job &job) {
  if (job.evaluation == nullptr) return cross_fit(source, job);
  Job silent = job;
  silent.note = nullptr;
  const int both[] = {0, 1};
  Graph candidate;
  EDGEC_CHECK(quantize_source(candidate, source, both, silent));
  return judge_evaluation(*job.reference, candidate, job);
}

/// Leaves the weights whose codes cost most for their bytes float, as far as the file grows little, if that helps.
Result<Fidelity> spare_weights(Int8Source &source, Fidelity without, const Job &job) {
  constexpr double most_growth = 0.04;
  EDGEC_ASSIGN(const auto layers, weight_noises(source.graph, source.plan, job));
  double left = most_growth * static_cast<double>(measure_sizes(source.graph, job.ops, false).parameters);
  Int8Source trial = source;
  for (const LayerNoise &layer : layers)
    if (layer.bytes <= left) left -= layer.bytes, trial.spec.float_nodes.insert(layer.node);
  plan_again(trial, job);
  EDGEC_ASSIGN(Fidelity with, judge_quantized(trial, job));
  if (with.sqnr_db() <= without.sqnr_db() || points_of(with) > points_of(without)) return without;
  for (const LayerNoise &layer : layers)
    if (trial.spec.float_nodes.contains(layer.node))
      job.skip(int8_name, source.graph.node(layer.node).label(),
               fmt::format("its weights stay float: 8 bits of them alone leave {:.1f} dB of the answers",
                           -10 * std::log10(layer.noise)));
  source = std::move(trial);
  return with;
}

} // namespace

Result<Raised> fewest_raised(std::span<const ValueNoise> ladder, double max_drop, const JudgeRaised &judge) {
  EDGEC_ASSIGN(Fidelity none, judge(0));
  if (ladder.empty() || is_proven(none, max_drop)) return Raised{0, std::move(none)};
  EDGEC_ASSIGN(Fidelity most, judge(ladder.size()));
  const bool provable = is_proven(most, max_drop);
  const double least_drop = std::max(max_drop, points_of(most)), floor = noise_of(most);
  const auto enough = [&](const Fidelity &fidelity) {
    return provable ? is_proven(fidelity, max_drop)
                    : points_of(fidelity) <= least_drop + 1e-9 && noise_of(fidelity) <= 2 * floor;
  };
  std::size_t count = ladder.size();
  // Noise adds up: how much the values that are not raised bring says where to begin.
  for (double left = 0; count > 0 && left + ladder[count - 1].noise <= floor; --count) left += ladder[count - 1].noise;
  if (provable) count = 0;
  for (count = std::max<std::size_t>(count, 1); count < ladder.size(); count *= 2) {
    EDGEC_ASSIGN(Fidelity found, judge(count));
    if (enough(found)) return Raised{count, std::move(found)};
  }
  return Raised{ladder.size(), std::move(most)};
}

bool mixes_precision(const Settings &settings) {
  return settings.get<RateOptions>().max_drop.has_value() && !rounds_weights(settings);
}

Result<std::optional<Fidelity>> mix_precision(Int8Source &source, const Job &job) {
  const double max_drop = *job.options<RateOptions>().max_drop;
  const auto &options = job.options<Int8Options>();
  if (job.reference == nullptr || (job.evaluation == nullptr && job.samples.size() < 2))
    return usage_error("--max-drop needs at least two samples (--calib): one half judges what was fitted to the other");
  const bool wide = options.activation_bits == 16;
  const int both[] = {0, 1};
  EDGEC_ASSIGN(const auto quants, choose_quants(source.graph, source.plan, source.ranges.merged(both), options));
  EDGEC_ASSIGN(const auto ladder, value_noises(source.graph, source.plan, quants, job));
  const auto raised = [&](std::size_t count) {
    Int8Source trial = source;
    for (const ValueNoise &rung : std::span(ladder).first(count))
      for (const ValueId id : rung.values)
        trial.spec.other_values[id] = wide ? std::optional(uint16_values) : std::nullopt;
    plan_again(trial, job);
    return trial;
  };
  const JudgeRaised judge = [&](std::size_t count) { return judge_quantized(raised(count), job); };
  EDGEC_ASSIGN(Raised chosen, fewest_raised(ladder, max_drop, judge));
  for (const ValueNoise &rung : std::span(ladder).first(chosen.count))
    job.skip(int8_name, rung.node,
             fmt::format("its output {}: 8 bits of it alone leave {:.1f} dB of the answers",
                         wide ? "has 16 bits" : "stays float", -10 * std::log10(rung.noise)));
  source = raised(chosen.count);
  if (const auto drop = drop_of(chosen.judged); !drop || drop->points > max_drop) {
    EDGEC_ASSIGN(chosen.judged, spare_weights(source, std::move(chosen.judged), job));
  }
  return job.evaluation == nullptr ? std::optional(std::move(chosen.judged)) : std::nullopt;
}

} // namespace edgec
