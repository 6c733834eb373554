#include "schemes/fitting/held_out.h"

#include <algorithm>

#include "schemes/fitting/options.h"

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

std::vector<int> folds_of(std::span<const std::size_t> samples, const Job &job) {
  if (samples.size() == job.samples.size()) return {0, 1};
  return {samples.front() == job.samples.front() ? 0 : 1};
}

Job on_samples(const Job &job, std::span<const std::size_t> samples) {
  Job part = job;
  part.samples.assign(samples.begin(), samples.end());
  if (auto &fit = part.settings.edit<FitOptions>(); samples.size() < job.samples.size())
    fit.positions = (fit.positions + 1) / 2;
  return part;
}

namespace {

FidelityOptions judging(const Graph &reference, const Job &job) {
  FidelityOptions options{.threads = job.threads, .isa = job.isa, .indices = job.samples};
  if (&reference == job.reference) options.reference_outputs = job.reference_outputs.get();
  return options;
}

} // namespace

void keep_answers(const Graph &original, const Job &job, CalibrationOptions &options) {
  if (!job.original_answers || job.reference == nullptr || !stands_for(original, *job.reference)) return;
  options.fetches = compared_values(original);
  options.fetched = [kept = job.reference_outputs](std::size_t call, const std::vector<Tensor> &values) {
    kept->keep(call, values);
  };
}

Result<Fidelity> judge(const Graph &reference, const Graph &graph, const Job &job) {
  return measure_fidelity(&reference, graph, job.ops, *job.calibration, judging(reference, job));
}

Result<Fidelity> judge_evaluation(const Graph &reference, const Graph &graph, const Job &job) {
  const Evaluation &evaluation = *job.evaluation;
  return measure_fidelity(&reference, graph, job.ops, *evaluation.samples,
                          {.threads = job.threads,
                           .isa = job.isa,
                           .indices = evaluation.indices,
                           .labels = evaluation.labels,
                           .metric = &evaluation.metric});
}

namespace {

Status check_halves(const Job &job) {
  if (job.samples.size() >= 2) return {};
  return usage_error("judging on samples that nothing was fitted to needs at least two samples (--calib)");
}

} // namespace

Result<Fidelity> judge_second_half(const Graph &reference, const FitHalf &fit, const Job &job) {
  EDGEC_CHECK(check_halves(job));
  EDGEC_ASSIGN(const Graph first, fit(half_of(job.samples, 0), 0));
  return judge(reference, first, on_samples(job, half_of(job.samples, 1)));
}

Result<Fidelity> judge_held_out(const Graph &reference, const FitHalf &fit, const Job &job) {
  EDGEC_CHECK(check_halves(job));
  EDGEC_ASSIGN(const Graph first, fit(half_of(job.samples, 0), 0));
  EDGEC_ASSIGN(const Graph second, fit(half_of(job.samples, 1), 1));
  const Graph *const unseen[] = {&second, &first};
  return measure_fidelity(reference, unseen, job.ops, *job.calibration, judging(reference, job));
}

} // namespace edgec
