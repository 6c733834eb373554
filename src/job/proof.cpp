#include "job/proof.h"

#include <algorithm>

#include <fmt/format.h>

#include "ops/registry.h"

namespace edgec {
namespace {

bool holds_integers(const Graph &graph, const std::string &output) {
  const auto found = std::ranges::find(graph.outputs(), output, &GraphOutput::name);
  if (found == graph.outputs().end()) return false;
  const Type &type = graph.value(found->value).type;
  return type.is_tensor() && !type.is_quantized() && (is_integer(type.dtype) || type.dtype == DType::boolean);
}

} // namespace

std::optional<std::string> moved_output(const Graph &source, const Fidelity &fidelity, double rtol) {
  for (const OutputNoise &output : fidelity.outputs) {
    const double limit = holds_integers(source, output.name) ? 0 : rtol * output.noise.max_reference;
    if (!(output.noise.max_error <= limit))
      return fmt::format("output {} moved by up to {:.3g} of {:.3g}", output.name, output.noise.max_error,
                         output.noise.max_reference);
  }
  return std::nullopt;
}

Result<std::optional<std::string>> moved_output(const Proof &proof, const Graph &test) {
  FidelityOptions options = proof.options;
  if (options.indices.empty()) options.indices = proof.data.indices;
  EDGEC_ASSIGN(const Fidelity fidelity, measure_fidelity(&proof.source, test, all_ops(), *proof.data.samples, options));
  return moved_output(proof.source, fidelity, proof.rtol);
}

Result<PipelineReport> run_checked(Graph &graph, std::span<const PassDef *const> passes, const PassContext &context,
                                   const PipelineOptions &wanted, const Proof &proof,
                                   std::vector<std::string> &warnings) {
  PipelineOptions options = wanted;
  bool possible = proof.data.samples != nullptr;
  options.check_each = [&](const Graph &, const Graph &after) -> Result<std::optional<std::string>> {
    if (!possible) return std::optional<std::string>();
    auto moved = moved_output(proof, after);
    if (moved || !excusable(moved.error(), proof.data)) return moved;
    possible = false;
    warnings.push_back("passes not checked one by one: " + moved.error().message);
    return std::optional<std::string>();
  };
  EDGEC_ASSIGN(PipelineReport report, run_pipeline(graph, passes, context, options));
  for (const PassRecord &record : report.passes)
    if (!record.rejected.empty())
      warnings.push_back(fmt::format("pass {} was left out: {}; please report it", record.name, record.rejected));
  return report;
}

Result<PipelineReport> run_proven(Graph &graph, std::span<const PassDef *const> passes, const PassContext &context,
                                  const PipelineOptions &options, const Proof &proof,
                                  std::vector<std::string> &warnings) {
  const Graph before = graph;
  EDGEC_ASSIGN(PipelineReport report, run_pipeline(graph, passes, context, options));
  if (!proof.data.samples) return report;
  auto moved = moved_output(proof, graph);
  if (!moved && !excusable(moved.error(), proof.data)) return std::move(moved).error();
  if (!moved || !*moved) return report; // why it cannot be run is said where the file that was written is verified
  graph = before;
  return run_checked(graph, passes, context, options, proof, warnings);
}

} // namespace edgec
