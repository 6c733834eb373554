// The pass manager: runs a list of passes over a graph and vouches for every step.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "passes/pass.h"

namespace edgec {

struct PipelineOptions {
  std::string stop_after;               ///< `--stop-after NAME`: passes after this one do not run; empty: all run
  std::vector<std::string> skip;        ///< `--skip-pass NAME`: these do not run
  std::vector<std::string> print_after; ///< `--print-after NAME`: `print` gets the graph each time one of these ran
  std::function<void(std::string_view pass, const std::string &text)> print;
  /// `--check-each`: called after every pass that changed the graph. A sentence says what is wrong with the result: the
  /// graph becomes what it was before the pass, and the pass does not run again. An error ends the run and names the
  /// pass.
  std::function<Result<std::optional<std::string>>(const Graph &before, const Graph &after)> check_each;
  /// Tests and debug builds: a pass that says "unchanged" left identical text, one that says "changed" did not, and
  /// the exact passes reach a fixed point.
#ifdef NDEBUG
  bool check_honesty = false;
#else
  bool check_honesty = true;
#endif
  /// Passes enable each other: the list is repeated until none changes the graph, at most this often.
  std::size_t max_rounds = 32;
};

/// What one pass of the list did, over all rounds.
struct PassRecord {
  std::string name;
  bool changed = false;
  std::size_t runs = 0;        ///< 0: skipped by an option
  std::string rejected;        ///< what check_each found wrong with its result; empty: nothing
  double seconds = 0;          ///< wall time in the pass itself, without sorting and verifying
  std::vector<PassNote> notes; ///< each once, in order
};

struct PipelineReport {
  std::vector<PassRecord> passes; ///< in the order of the list
  bool converged = true;          ///< false: max_rounds ended the repetition
};

/// Runs `passes` over `graph` and over the sub-graphs of If, Loop and Scan, until nothing changes. After each pass that
/// changed it the graph is sorted and verified, and its inputs and outputs must have kept name, element type and shape.
/// Errors name the pass; after one the graph is as it was before that pass. A broken invariant is Code::internal and
/// carries the graph before the pass as text (tensors by hash). An option that names no pass of the list is
/// Code::usage. Notes also go to context.note.
Result<PipelineReport> run_pipeline(Graph &graph, std::span<const PassDef *const> passes, const PassContext &context,
                                    const PipelineOptions &options = {});

/// One step over the whole graph, true where it changed it; notes go to the function that it is given.
using Step = std::function<Result<bool>(Graph &, const std::function<void(PassNote)> &note)>;

/// Runs one step as run_pipeline() does each: `record` tells of it. `note` gets the notes as well, if it is not null.
Result<bool> run_step(Graph &graph, std::string_view name, const Step &step, const std::function<void(PassNote)> &note,
                      const PipelineOptions &options, PassRecord &record);

/// What `edgec optimize` runs, and `edgec compress` before anything lossy: all exact passes in their order.
std::span<const PassDef *const> exact_pipeline();

} // namespace edgec
