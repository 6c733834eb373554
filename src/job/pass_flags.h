// Flags of the commands that run passes, and the runs themselves as the report tells them.
#pragma once

#include <string>
#include <vector>

#include "job/model_file.h"
#include "measure/report.h"
#include "passes/pipeline.h"
#include "schemes/scheme.h"
#include "support/option.h"

namespace edgec {

struct PassFlags {
  std::vector<std::string> skip, print_after;
  std::string stop_after;
  bool check_each = false, time_passes = false;
  std::int64_t channel_multiple = 0; ///< 0: as the format of the output wants

  void declare(Options &options);
  /// Error (usage): a name that is not a pass, with the nearest ones.
  [[nodiscard]] Status check() const;
  /// Of which layers keep as many channels where some are cut (PassContext::channel_multiple). Runtimes read .onnx
  /// files and are fast with whole vectors of channels; edgec's own is no slower without, and .edgec files are to be
  /// small.
  [[nodiscard]] int multiple_for(const FormatDef &format) const;
  /// --stop-after named one of `passes`: what follows does not run.
  [[nodiscard]] bool stops_in(std::span<const std::string_view> passes) const;
  /// For a list of passes: only the names that it holds. --print-after goes to stderr; --check-each is not in them
  /// (job/proof.h).
  [[nodiscard]] PipelineOptions pipeline_options(std::span<const std::string_view> passes) const;
};

/// --include, --exclude, --op-types: which nodes lossy passes may touch.
struct ScopeFlags {
  std::vector<std::string> include, exclude, op_types;

  void declare(Options &options);
  /// Errors (usage): no regular expression, or one that fits no node of the input file; with the nearest names.
  [[nodiscard]] Result<Scope> scope(const Graph &input) const;
};

/// Their names.
std::vector<std::string_view> names_of(std::span<const PassDef *const> passes);
std::vector<std::string_view> names_of(std::span<const SchemeDef *const> schemes);

/// What passes would run, a numbered line for each step: a lossy pass, or exact passes that follow one another, whose
/// names are listed once and only if `verbose`.
std::string plan_text(std::span<const std::string> passes, bool verbose);

/// What a pipeline did, for the report.
std::vector<PassFigures> pass_figures(const PipelineReport &report);
/// A table of the seconds that passes took, for --time-passes; in lines of `width` characters.
std::string pass_times(const std::vector<PassFigures> &passes, std::size_t width);

} // namespace edgec
