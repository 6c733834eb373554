// The main job on a graph in memory: exact passes, then what was asked for in the right order, then exact passes again.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/dataset.h"
#include "cli/pass_flags.h"
#include "cli/progress.h"
#include "passes/pass.h"
#include "passes/quantize/int8.h"
#include "passes/rate/rate_search.h"

namespace edgec {

struct CompressRequest {
  LossyOptions lossy;
  bool int8 = false;
  bool border_nodes = false; ///< Int8Request
  bool cross_fit = true; ///< judge what was fitted to samples on others
  std::optional<RateRequest> rate; ///< round weights for a budget
  const Graph *reference = nullptr; ///< what networks are judged beside; null: the source
  std::size_t max_memory = 300'000'000; ///< bytes of the process that compressing aims at
  Scope scope;
  PassFlags passes;
  int channel_multiple = 1; ///< PassContext
  int threads = 1;
  Isa isa = Isa::scalar;
  std::uint64_t seed = 0;
  ProgressLine *progress = nullptr; ///< null: nobody wants to know
};

struct Compressed {
  Graph graph;
  std::vector<PassFigures> passes;
  std::optional<Int8Outcome> int8;
  std::optional<RateOutcome> rate; ///< its graph is the one above
  std::vector<std::string> warnings; ///< exact passes that were left out, because they moved an output
  bool refit = false;        ///< weights were fitted to the samples, without int8 or a rate too
  std::vector<RatePoint> curve; ///< what a search of the rate saw
  std::size_t smallest = 0;     ///< bytes of the smallest file among them
  bool interrupted = false;     ///< that search was stopped; what it had found meets the budget
};

/// The names of the passes that a request runs, in order.
std::vector<std::string> plan_of(const CompressRequest &request);

/// What a request is thought to take its time for, in order.
std::vector<ProgressStep> steps_of(const CompressRequest &request);

/// Runs them. `data` are the calibration samples.
Result<Compressed> compress(const Graph &source, const CompressRequest &request, const Dataset &data);

} // namespace edgec
