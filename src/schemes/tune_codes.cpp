// Learns codes: `--tune BUDGET` after quantizing or sharing. What has codes is trained on the reals behind them, which
// are rounded on the way forward and pass gradients on as they are (Bengio et al. 2013); scales are learned with them
// (Esser et al. 2020); what was trained is what the file's operators compute.
#include "schemes/prune/options.h"
#include "schemes/tune/options.h"
#include "schemes/tune/tuning.h"
#include "train/fake_quantized.h"

namespace edgec::schemes {
namespace {

constexpr std::string_view name = "tune-codes";

Result<SchemeOutcome> run(Graph &graph, const Job &job) {
  SchemeOutcome outcome;
  EDGEC_ASSIGN(FakeQuantized reals, FakeQuantized::of(graph, job.ops, job.options<PruneOptions>().wanted()));
  std::vector<Parameter> parameters = reals.parameters();
  const auto floats = float_parameters(reals.graph(), job, parameters);
  parameters.insert(parameters.end(), floats.begin(), floats.end());
  if (parameters.empty()) return outcome;
  const double share = tunes_floats(job.settings) ? 0.5 : 1;
  EDGEC_ASSIGN(outcome.changed, tune_parameters(reals.graph(), parameters, job, name, {.share = share}));
  outcome.satisfied = !outcome.changed;
  if (!outcome.changed) return outcome;
  reals.write_back(graph);
  for (const Parameter &parameter : floats) graph.set_data(parameter.value, *reals.graph().constant(parameter.value));
  return outcome;
}

std::vector<SchemeStep> steps(const Job &) { return {{"training", 20}}; }

} // namespace

extern const SchemeDef tune_codes;
const SchemeDef tune_codes{.name = name,
                           .flag = "--tune",
                           .summary = "codes and their scales are trained towards the original's answers",
                           .phase = Phase::numbers,
                           .place = 86,
                           .needs = Needs::samples,
                           .fits = true,
                           .wanted = tunes_codes,
                           .steps = steps,
                           .run = run};

} // namespace edgec::schemes
