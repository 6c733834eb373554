// Whether exact rewrites kept what a network computes: shown by running it before and after on the same samples.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "job/dataset.h"
#include "job/pass_flags.h"
#include "measure/fidelity.h"

namespace edgec {

/// Exact passes may move an output by so much of its largest element: folded constants are rounded once more.
constexpr double exact_tolerance = 1e-5;

/// What rewrites are measured against.
struct Proof {
  const Graph &source;
  const Dataset &data; ///< samples may be null: then nothing can be shown
  FidelityOptions options;
  double rtol = exact_tolerance;
};

/// The first output that is not what `source` gives: max |a - b| > rtol * max |b| over all samples, or, of an integer
/// output, any difference. Nothing: all are the same.
std::optional<std::string> moved_output(const Graph &source, const Fidelity &fidelity, double rtol);

/// Runs both graphs on the samples. Errors: those of measure_fidelity().
Result<std::optional<std::string>> moved_output(const Proof &proof, const Graph &test);

/// Runs exact passes, each checked against the source: one that moves an output is taken back and left out, which is
/// said in `warnings`, as is why nothing can be checked where the network cannot be run.
Result<PipelineReport> run_checked(Graph &graph, std::span<const PassDef *const> passes, const PassContext &context,
                                   const PipelineOptions &options, const Proof &proof,
                                   std::vector<std::string> &warnings);

/// Runs exact passes and then both graphs. Where an output has moved, the graph becomes what it was and the passes run
/// again, each checked, so that the guilty one is found and left out.
Result<PipelineReport> run_proven(Graph &graph, std::span<const PassDef *const> passes, const PassContext &context,
                                  const PipelineOptions &options, const Proof &proof,
                                  std::vector<std::string> &warnings);

} // namespace edgec
