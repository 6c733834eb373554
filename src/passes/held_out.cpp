#include "passes/held_out.h"

#include <algorithm>

namespace edgec {
std::vector<std::size_t> some_of(std::span<const std::size_t> samples, std::size_t count) {
  count = std::min(count, samples.size());
  std::vector<std::size_t> some;
  for (std::size_t i = 0; i < count; ++i) some.push_back(samples[i * samples.size() / count]);
  return some;
}

std::vector<std::size_t> half_of(std::span<const std::size_t> samples, std::size_t fold) {
  std::vector<std::size_t> found;
  for (std::size_t i = fold; i < samples.size(); i += 2) found.push_back(samples[i]);
  return found;
}

std::vector<int> folds_of(std::span<const std::size_t> samples, const PassContext &context) {
  if (samples.size() == context.samples.size()) return {0, 1};
  return {samples.front() == context.samples.front() ? 0 : 1};
}

PassContext on_samples(const PassContext &context, std::span<const std::size_t> samples) {
  PassContext part = context;
  part.samples.assign(samples.begin(), samples.end());
  if (samples.size() < context.samples.size()) part.lossy.positions = (context.lossy.positions + 1) / 2;
  return part;
}

Result<Fidelity> judge(const Graph &reference, const Graph &graph, const PassContext &context) {
  return measure_fidelity(&reference, graph, context.ops, *context.calibration,
                          {.threads = context.threads, .isa = context.isa, .indices = context.samples});
}

Result<Fidelity> judge_held_out(const Graph &reference, const FitHalf &fit, const PassContext &context) {
  if (context.samples.size() < 2)
    return usage_error("judging on samples that nothing was fitted to needs at least two samples (--calib)");
  EDGEC_ASSIGN(const Graph first, fit(half_of(context.samples, 0), 0));
  EDGEC_ASSIGN(const Graph second, fit(half_of(context.samples, 1), 1));
  const Graph *const unseen[] = {&second, &first};
  return measure_fidelity(reference, unseen, context.ops, *context.calibration,
                          {.threads = context.threads, .isa = context.isa, .indices = context.samples});
}

} // namespace edgec
