#include "passes/held_out.h"

#include <algorithm>
#include <cmath>

#include "calibrate/sample_store.h"
#include "runtime/plan.h"
#include "support/parallel.h"

namespace edgec {
namespace {

/// Runs the network on `samples` and hands each one's logits, kept, to `take`.
Status run_all(const Graph &graph, const std::function<ValueId(const Graph &)> &logits, const PassContext &context,
               std::span<const std::size_t> samples, const std::function<void(std::size_t, Tensor)> &take) {
  TensorKeeper keeper;
  PlanOptions plan;
  plan.isa = context.isa;
  plan.fetches = {logits(graph)};
  Runner runner(graph, context.ops, plan);
  return parallel_for(samples.size(), context.threads, [&](std::size_t i, int worker) -> Status {
    EDGEC_ASSIGN(const Sample sample, context.calibration->load(samples[i]));
    EDGEC_ASSIGN(auto outputs, runner.run_tensors(sample, worker));
    EDGEC_ASSIGN(Tensor kept, keeper.keep(std::move(outputs[0])));
    take(i, std::move(kept));
    return {};
  });
}

} // namespace

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

Result<std::vector<Tensor>> held_out_logits(const FitHalf &fit, const std::function<ValueId(const Graph &)> &logits,
                                            const PassContext &context) {
  std::vector<Tensor> held_out(context.samples.size());
  for (const std::size_t fold : {0U, 1U}) {
    EDGEC_ASSIGN(const Graph fitted, fit(half_of(context.samples, fold), fold));
    const std::vector<std::size_t> unseen = half_of(context.samples, 1 - fold);
    EDGEC_CHECK(run_all(fitted, logits, context, unseen,
                        [&](std::size_t i, Tensor tensor) { held_out[2 * i + 1 - fold] = std::move(tensor); }));
  }
  return held_out;
}

Result<std::vector<Tensor>> logits_of(const Graph &graph, const std::function<ValueId(const Graph &)> &logits,
                                      const PassContext &context) {
  std::vector<Tensor> found(context.samples.size());
  EDGEC_CHECK(run_all(graph, logits, context, context.samples, [&](std::size_t i, Tensor tensor) { found[i] = std::move(tensor); }));
  return found;
}

double sqnr_db(const std::vector<Tensor> &reference, const std::vector<Tensor> &test) {
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    const std::vector<double> a = kept_values(reference[i]), b = kept_values(test[i]);
    for (std::size_t k = 0; k < a.size() && k < b.size(); ++k) {
      signal += a[k] * a[k];
      noise += (a[k] - b[k]) * (a[k] - b[k]);
    }
  }
  return 10 * std::log10(signal / std::max(noise, 1e-300));
}

double agreement(const std::vector<Tensor> &reference, const std::vector<Tensor> &test) {
  const auto largest = [](const Tensor &tensor) {
    const std::vector<double> values = kept_values(tensor);
    return std::ranges::max_element(values) - values.begin();
  };
  std::size_t same = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) same += largest(reference[i]) == largest(test[i]) ? 1 : 0;
  return static_cast<double>(same) / static_cast<double>(std::max<std::size_t>(reference.size(), 1));
}

} // namespace edgec
