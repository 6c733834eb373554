// The main job on a graph in memory: exact passes, then what was asked for in the right order, then exact passes again.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "job/coded_input.h"
#include "job/dataset.h"
#include "job/pass_flags.h"
#include "job/progress.h"
#include "schemes/scheme.h"

namespace edgec {

struct CompressRequest {
  Settings settings; ///< of every scheme
  Scope scope;
  PassFlags passes;
  CodedInput coded;
  std::set<DType> widened;                                      ///< take_floats()
  int channel_multiple = 1;                                     ///< PassContext
  bool border_nodes = false;                                    ///< Job
  bool cross_fit = true;                                        ///< Job
  bool judge_each = false;                                      ///< Job
  const Evaluation *evaluation = nullptr;                       ///< Job
  const RangeTable *ranges = nullptr;                           ///< Job
  const Graph *reference = nullptr;                             ///< what networks are judged beside; null: the source
  std::function<Result<std::size_t>(const Graph &)> file_bytes; ///< Job
  std::size_t max_memory = 300'000'000;                         ///< bytes of the process that compressing aims at
  int threads = 1;
  Isa isa = Isa::scalar;
  std::uint64_t seed = 0;
  ProgressSink *progress = nullptr; ///< null: nobody wants to know
};

struct Compressed {
  Graph graph;
  std::vector<PassFigures> passes;
  SchemeOutcome outcome; ///< of all schemes together; its warnings also say which exact passes were left out
};

/// The names of the passes that a request runs, in order.
std::vector<std::string> plan_of(const CompressRequest &request);

/// What a request is thought to take its time for, in order.
std::vector<ProgressStep> steps_of(const CompressRequest &request);

/// Runs them. `data` are the calibration samples.
Result<Compressed> compress(const Graph &source, const CompressRequest &request, const Dataset &data);

} // namespace edgec
