#include "job/verification.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "job/doubts.h"
#include "measure/node_compare.h"
#include "measure/paired_latency.h"
#include "measure/steadiness.h"
#include "ops/registry.h"

namespace edgec {
namespace {

constexpr std::size_t few = 8; // samples on which the written file is run beside the network in memory

Result<Fidelity> run_beside(const Graph &reference, const Graph &test, const Dataset &data,
                            std::span<const std::size_t> indices, FidelityOptions options, ProgressSink &line,
                            const char *what) {
  options.indices = indices;
  options.step = line.counter(what, indices.size());
  return measure_fidelity(&reference, test, all_ops(), *data.samples, options);
}

/// The written file must compute what the network in memory computes; reading may round requantization once more.
Status check_written(const Compressed &compressed, const Written &written, const Dataset &data,
                     const FidelityOptions &options, ProgressSink &line, Report &report) {
  constexpr double least_sqnr_db = 30;
  const auto first = std::span(data.indices).first(std::min(few, data.indices.size()));
  EDGEC_ASSIGN(const Fidelity fidelity,
               run_beside(compressed.graph, written.model.graph, data, first, options, line, "reading back"));
  const auto sqnr = fidelity.logits.noise.sqnr_db();
  if (sqnr && *sqnr < least_sqnr_db)
    report.warnings.push_back(
        fmt::format("the file written computes otherwise than the network in memory: SQNR {:.1f} dB", *sqnr));
  return {};
}

Result<MeasuredFidelity> measure_fitted(const Reference &reference, const Compressed &compressed,
                                        const Written &written, const Dataset &data, const FidelityOptions &options,
                                        ProgressSink &line) {
  if (!data.rest.empty()) {
    const auto unseen = data.unseen();
    EDGEC_ASSIGN(Fidelity fidelity,
                 run_beside(reference.model.graph, written.model.graph, data, unseen, options, line, "verifying"));
    return MeasuredFidelity{std::move(fidelity),
                            fmt::format("{} samples beyond those used ({})", unseen.size(), data.description),
                            reference.name, data.synthetic};
  }
  const auto &held_out = compressed.outcome.held_out;
  std::size_t rows = 0;
  for (const std::size_t index : data.indices) rows += data.samples->rows(index);
  const std::string which = held_out->samples == rows
                                ? "held-out halves (each sample by a network that was not fitted to it)"
                                : fmt::format("{} held-out samples (by a network fitted to others)", held_out->samples);
  return MeasuredFidelity{*held_out, fmt::format("{}: {}", which, data.description), reference.name, data.synthetic};
}

Result<MeasuredFidelity> measure_all(const Reference &reference, const Written &written, const Dataset &data,
                                     const FidelityOptions &options, ProgressSink &line) {
  EDGEC_ASSIGN(Fidelity fidelity,
               run_beside(reference.model.graph, written.model.graph, data, data.indices, options, line, "verifying"));
  return MeasuredFidelity{std::move(fidelity), data.description, reference.name, data.synthetic};
}

/// Where much is lost on `samples`, whether the reference is steady enough for anything to be near it.
Status check_steadiness(const Reference &reference, const Dataset &data, std::span<const std::size_t> samples,
                        FidelityOptions options, Report &report) {
  constexpr double fair_sqnr_db = 20, steady_sqnr_db = 30;
  constexpr std::size_t enough = 32;
  const Fidelity &found = report.verified->fidelity;
  if (!found.logits.numbers || found.sqnr_db() >= fair_sqnr_db) return {};
  options.indices = samples.first(std::min(enough, samples.size()));
  EDGEC_ASSIGN(const Fidelity itself, measure_steadiness(reference.model.graph, all_ops(), *data.samples, options));
  if (itself.sqnr_db() < steady_sqnr_db)
    report.warnings.push_back(
        fmt::format("{} is not steady: its own answers differ by {:.1f} dB where its inputs are larger by {:g} of "
                    "themselves (codes "
                    "that round coarsely do that), so that much of the error is its own; judge by its task (--eval)",
                    reference.name, itself.sqnr_db(), input_nudge));
  return {};
}

} // namespace

Status verify_written(const Reference &reference, const Compressed &compressed, const Written &written,
                      const Dataset &data, FidelityOptions options, ProgressSink &line, Report &report) {
  if (!data.samples) return {};
  if (data.synthetic &&
      (compressed.outcome.changed ||
       compressed.outcome.held_out)) { // a figure on made-up inputs would be taken for one on real data
    report.made_up = true;
    report.unverified = fmt::format("{}; give --calib SAMPLES, or --eval DATA to measure", data.description);
    auto checked = check_written(compressed, written, data, options, line, report);
    return !checked && excusable(checked.error(), data) ? Status() : checked;
  }
  const bool held_out = compressed.outcome.held_out.has_value(), seen = compressed.outcome.fitted || held_out;
  const bool fitted = seen && (!data.rest.empty() || held_out);
  auto measured = fitted ? measure_fitted(reference, compressed, written, data, options, line)
                         : measure_all(reference, written, data, options, line);
  if (!measured && excusable(measured.error(), data)) {
    report.unverified = measured.error().message;
    return {};
  }
  if (!measured) return std::move(measured).error();
  report.verified = *std::move(measured);
  const auto judged = fitted && !data.rest.empty() ? data.unseen() : std::span(data.indices);
  EDGEC_CHECK(check_steadiness(reference, data, judged, options, report));
  if (!fitted && seen) report.verified->samples += ", to which it was fitted: on others the error is larger";
  return fitted ? check_written(compressed, written, data, options, line, report) : Status{};
}

Status evaluate_written(const Reference &reference, const Written &written, const Dataset &data, const Metric *metric,
                        FidelityOptions options, ProgressSink &line, Report &report) {
  if (!data.labels && metric == nullptr)
    report.warnings.push_back(fmt::format("{}: has no labels, so accuracy was not measured; give --labels", data.path));
  options.metric = metric;
  options.labels = data.labels ? &data.labels->classes : nullptr;
  EDGEC_ASSIGN(Fidelity fidelity,
               run_beside(reference.model.graph, written.model.graph, data, data.indices, options, line, "evaluating"));
  if (fidelity.reference_accuracy)
    if (auto doubt = chance_warning(*fidelity.reference_accuracy, class_count(reference.model.graph)))
      report.warnings.push_back(*std::move(doubt));
  report.evaluated = MeasuredFidelity{std::move(fidelity), data.description, reference.name, data.synthetic};
  return {};
}

Status measure_layers(const Model &source, const Written &written, const Dataset &data, Isa isa, Report &report) {
  if (!data.samples) return {};
  EDGEC_ASSIGN(const auto samples, first_samples(data, node_samples));
  const auto differences = compare_nodes(source.graph, written.model.graph, all_ops(), samples, isa);
  if (!differences && excusable(differences.error(), data)) return {}; // said by verify_written()
  if (!differences) return differences.error();
  for (const NodeDifference &difference : *differences) {
    const auto node = std::ranges::find(report.nodes, difference.node, &NodeFigures::name);
    if (node != report.nodes.end() && difference.noise.count > 0) node->sqnr_db = difference.noise.sqnr_db();
    const auto layer = std::ranges::find(report.layers, difference.node, &LayerFigures::name);
    if (layer == report.layers.end()) continue;
    if (difference.noise.count > 0) layer->sqnr_db = difference.noise.sqnr_db();
    layer->remark = difference.remark();
  }
  return {};
}

namespace {

LatencyFigures latency_figures(std::vector<double> seconds) {
  std::ranges::sort(seconds);
  const Latency latency{.seconds = std::move(seconds)};
  return {1, latency.seconds.size(), 1e3 * latency.quantile(0.5), 1e3 * latency.quantile(0.9),
          1e3 * latency.quantile(0)};
}

} // namespace

Status measure_latencies(const Model &source, const Written &written, const Dataset &data,
                         const FidelityOptions &options, Report &report) {
  if (!data.samples) return {};
  EDGEC_ASSIGN(const Sample loaded, data.samples->load(data.indices.front()));
  EDGEC_ASSIGN(PairedLatency pair, measure_pair(source.graph, written.model.graph, all_ops(), loaded, options.isa, {}));
  report.latency_before = latency_figures(std::move(pair.first));
  report.latency_after = latency_figures(std::move(pair.second));
  return {};
}

namespace {

/// Of float weights that the int8 pass said nothing about.
std::string why_float(const LayerFigures &layer) {
  if (layer.in_body) return "weights in the bodies of If, Loop and Scan are not quantized";
  const OpDef *op = all_ops().find("", layer.op);
  return op != nullptr && op->weights != nullptr ? "not quantized" : "its operator has no int8 form of its weights";
}

/// The different reasons why a pass left something, the first few.
std::string reasons_of(const PassFigures &pass) {
  constexpr std::size_t most_named = 3;
  std::vector<std::string> reasons;
  for (const NoteFigures &note : pass.notes) {
    const bool known = std::ranges::any_of(
        reasons, [&](const std::string &reason) { return reason.ends_with(": " + note.text) || reason == note.text; });
    if (note.skipped && !known) reasons.push_back(note.node.empty() ? note.text : note.node + ": " + note.text);
  }
  if (reasons.size() > most_named) reasons.resize(most_named);
  return fmt::format("{}", fmt::join(reasons, "; "));
}

} // namespace

std::vector<std::string> idle_passes(const Compressed &compressed) {
  std::vector<std::string> sentences;
  for (const PassFigures &pass : compressed.passes) {
    if (std::ranges::find(compressed.outcome.idle, pass.name) == compressed.outcome.idle.end()) continue;
    const std::string reasons = reasons_of(pass);
    sentences.push_back(fmt::format(
        "{} had no effect: {}", pass.name,
        reasons.empty() ? "no layer outside the bodies of If, Loop and Scan has constant float weights that it changes"
                        : reasons));
  }
  return sentences;
}

void list_float_nodes(const Compressed &compressed, Report &report) {
  const auto pass = std::ranges::find_if(compressed.passes, [](const PassFigures &one) {
    return one.name == "quantize-int8" || one.name == "narrow-floats";
  });
  if (pass == compressed.passes.end()) return;
  for (const NoteFigures &note : pass->notes) {
    if (!note.skipped || note.node.empty()) continue;
    const auto layer = std::ranges::find(report.layers, note.node, &LayerFigures::name);
    if (layer != report.layers.end()) {
      layer->left_float = note.text;
      continue;
    }
    LayerFigures figures;
    figures.name = note.node;
    figures.left_float = note.text;
    for (const NodeId id : compressed.graph.nodes()) {
      if (compressed.graph.node(id).label() == note.node) figures.op = compressed.graph.node(id).op;
    }
    report.layers.push_back(std::move(figures));
  }
  for (LayerFigures &layer : report.layers)
    if (pass->name == "quantize-int8" && layer.float_bytes > 0 && !layer.integer && layer.left_float.empty())
      layer.left_float = why_float(layer);
}

} // namespace edgec
