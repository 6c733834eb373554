#include "schemes/scheme.h"

#include <algorithm>
#include <fmt/format.h>

namespace edgec {
namespace {

std::vector<const SchemeDef *> in_order(auto key) {
  std::vector<const SchemeDef *> schemes(all_schemes().begin(), all_schemes().end());
  std::ranges::stable_sort(schemes, {}, key);
  return schemes;
}

Status check_samples(const SchemeDef &scheme, const Job &job) {
  if (scheme.needs == Needs::nothing || (job.calibration != nullptr && !job.samples.empty())) return {};
  return usage_error(fmt::format("{} needs calibration samples (--calib)", scheme.name));
}

} // namespace

void SchemeOutcome::add(SchemeOutcome more) {
  changed |= more.changed;
  fitted |= more.fitted;
  interrupted |= more.interrupted;
  if (more.held_out) held_out = std::move(more.held_out);
  if (!more.curve.empty()) curve = std::move(more.curve), smallest = more.smallest;
  activations.insert(activations.end(), more.activations.begin(), more.activations.end());
  warnings.insert(warnings.end(), more.warnings.begin(), more.warnings.end());
  idle.insert(idle.end(), more.idle.begin(), more.idle.end());
}

const SchemeDef *find_scheme(std::string_view name) {
  const auto schemes = all_schemes();
  const auto found = std::ranges::find(schemes, name, &SchemeDef::name);
  return found == schemes.end() ? nullptr : *found;
}

std::vector<const SchemeDef *> wanted_schemes(const Settings &settings) {
  auto schemes = in_order([](const SchemeDef *scheme) { return std::pair(scheme->phase, scheme->place); });
  std::erase_if(schemes, [&](const SchemeDef *scheme) { return !scheme->wanted(settings); });
  return schemes;
}

void declare_schemes(Options &options, Settings &settings) {
  for (const SchemeDef *scheme : in_order(&SchemeDef::place))
    if (scheme->declare != nullptr) scheme->declare(options, settings);
}

Result<SchemeReport> run_schemes(Graph &graph, std::span<const SchemeDef *const> schemes, const Job &job,
                                 const PipelineOptions &options) {
  SchemeReport report;
  EDGEC_CHECK(graph.sort());
  for (const SchemeDef *scheme : schemes) {
    PassRecord &record = report.passes.passes.emplace_back(PassRecord{.name = std::string(scheme->name)});
    if (std::ranges::find(options.skip, scheme->name) != options.skip.end()) continue;
    EDGEC_CHECK(check_samples(*scheme, job));
    SchemeOutcome outcome;
    const Step step = [&](Graph &at, const std::function<void(PassNote)> &note) -> Result<bool> {
      Job told = job;
      told.note = note;
      if (report.trained) told.original = report.trained.get();
      EDGEC_ASSIGN(outcome, scheme->run(at, told));
      return outcome.changed;
    };
    EDGEC_CHECK(run_step(graph, scheme->name, step, job.note, options, record));
    outcome.fitted = scheme->fits && outcome.changed;
    if (scheme->trains && outcome.changed) report.trained = std::make_shared<const Graph>(graph);
    if (!outcome.changed && !outcome.satisfied) outcome.idle.emplace_back(scheme->name);
    report.outcome.add(std::move(outcome));
    if (scheme->name == options.stop_after) break;
  }
  return report;
}

} // namespace edgec
