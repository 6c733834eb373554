// One lossy pass run as the pipeline runs it, and what it cost.
#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "ops/registry.h"
#include "passes/pipeline.h"
#include "runtime/plan.h"

namespace edgec {

struct Outcome {
  Graph graph;
  std::vector<PassNote> notes;
};

/// Fitted to all of `samples`.
inline Outcome run_pass(std::string_view name, const Graph &graph, const SampleSet &samples, const LossyOptions &lossy,
                        int threads = 1, int channel_multiple = 1) {
  Outcome outcome{graph, {}};
  PassContext context{.ops = all_ops(), .lossy = lossy};
  context.calibration = &samples;
  for (std::size_t i = 0; i < samples.size(); ++i) context.samples.push_back(i);
  context.threads = threads;
  context.channel_multiple = channel_multiple;
  context.note = [&](const PassNote &note) { outcome.notes.push_back(note); };
  const PassDef *pass = find_pass(name);
  const auto report = run_pipeline(outcome.graph, std::span(&pass, 1), context, {.check_honesty = true});
  EXPECT_TRUE(report) << report.error().message;
  return outcome;
}

/// Of the first output, in decibels, on samples from number 100 on.
inline double sqnr(const Graph &reference, const Graph &test, const SampleSet &samples, std::size_t count) {
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Sample sample = *samples.load(100 + i);
    const auto x = to_floats(Runner(reference, all_ops(), {}).run_tensors(sample)->front());
    const auto y = to_floats(Runner(test, all_ops(), {}).run_tensors(sample)->front());
    for (std::size_t k = 0; k < x.size(); ++k) signal += std::pow(x[k], 2), noise += std::pow(x[k] - y[k], 2);
  }
  return 10 * std::log10(signal / noise);
}

} // namespace edgec
