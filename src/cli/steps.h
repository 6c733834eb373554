// Networks that run step by step: an output of one step is an input of the next.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/samples.h"
#include "runtime/plan.h"

namespace edgec {

/// --feed OUT=IN: output OUT of a step is input IN of the next. argmax(OUT)=IN: the index of its largest element along
/// the last axis; of three axes and more only that of the last row, as [batch, 1] of [batch, length, words].
struct StepFeed {
  std::size_t output = 0, input = 0;
  bool argmax = false;
  std::string name; ///< as given: OUT or argmax(OUT)
};

/// Errors (usage): no such output or input with the nearest names, an input that is fed twice.
Result<std::vector<StepFeed>> parse_feeds(std::span<const std::string> texts, const Graph &graph);

struct Steps {
  std::int64_t count = 0;
  std::vector<Tensor> first;                             ///< every input of the first step
  std::vector<std::pair<std::size_t, Tensor>> sequences; ///< inputs given for all steps, along a first axis
  std::vector<StepFeed> feeds;
};

/// Runs the network and gives its outputs of all steps along a new first axis, of those that are fed only the last; an
/// argmax that is fed is an output, too, and what it is of may change its shape: then the last steps count. Errors:
/// those of running, and (unsupported) an output that changes its shape.
Result<std::vector<std::pair<std::string, Tensor>>> run_steps(Runner &runner, const Steps &steps);

/// The input that "full:VALUE" or "full:VALUE:2x1x128" says: VALUE everywhere; the dims may be left out where the
/// network knows them. Errors (usage): no number, dims that are missing or do not fit.
Result<Tensor> filled_input(const std::string &text, const InputSpec &input);

} // namespace edgec
