// Flags of the commands that run passes, and the runs themselves as the report tells them.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "measure/report.h"
#include "passes/pipeline.h"

namespace edgec {

struct PassFlags {
  std::vector<std::string> skip, print_after;
  std::string stop_after;
  bool check_each = false, time_passes = false;

  void declare(Options &options);
  /// Error (usage): a name that is no pass, with the nearest ones.
  [[nodiscard]] Status check() const;
  /// --stop-after named one of `passes`: what follows does not run.
  [[nodiscard]] bool stops_in(std::span<const PassDef *const> passes) const;
  /// For a list of passes: only the names that it holds. --print-after goes to stderr; --check-each is not in them
  /// (cli/proof.h).
  [[nodiscard]] PipelineOptions pipeline_options(std::span<const PassDef *const> passes) const;
};

/// --include, --exclude, --op-types: which nodes lossy passes may touch.
struct ScopeFlags {
  std::vector<std::string> include, exclude, op_types;

  void declare(Options &options);
  /// Errors (usage): no regular expression, or one that fits no node of the input file; with the nearest names.
  [[nodiscard]] Result<Scope> scope(const Graph &input) const;
  /// Labels of the nodes that --include names: depthwise layers among them may be pruned.
  [[nodiscard]] std::vector<std::string> included(const Graph &input) const;
};

/// What a pipeline did, for the report.
std::vector<PassFigures> pass_figures(const PipelineReport &report);
/// A table of the seconds that passes took, for --time-passes.
std::string pass_times(const std::vector<PassFigures> &passes);

} // namespace edgec
