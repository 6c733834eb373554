// One scheme run as `compress` runs it, and what it cost.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "ops/registry.h"
#include "runtime/plan.h"
#include "schemes/scheme.h"
#include "tests/schemes/settings.h"

namespace edgec {

/// On the first `count` samples, or all.
inline Job job_of(const SampleSet &samples, const Words &words = {}, std::size_t count = SIZE_MAX) {
  Job job{{.ops = all_ops()}};
  job.settings = settings_of(words);
  job.calibration = &samples;
  for (std::size_t i = 0; i < std::min(count, samples.size()); ++i) job.samples.push_back(i);
  return job;
}

inline Result<SchemeReport> run_scheme(std::string_view name, Graph &graph, const Job &job) {
  const SchemeDef *scheme = find_scheme(name);
  EXPECT_NE(scheme, nullptr) << name;
  return run_schemes(graph, std::span(&scheme, 1), job, {.check_honesty = true});
}

/// Why it cannot run where there are no samples.
inline std::string error_without_samples(std::string_view name, Graph graph, const Words &words) {
  Job job{{.ops = all_ops()}};
  job.settings = settings_of(words);
  const auto report = run_scheme(name, graph, job);
  return report ? std::string() : report.error().message;
}

/// Layers whose weights are codes, or read through DequantizeLinear.
inline std::size_t coded_layers(const Graph &graph) {
  std::size_t count = 0;
  for (const NodeId id : graph.nodes()) {
    const OpDef *op = all_ops().find(graph.node(id));
    if (op == nullptr || op->weights == nullptr) continue;
    const ValueId weight = graph.node(id).input(1);
    const Node *producer = weight.valid() ? graph.producer(weight) : nullptr;
    count += weight.valid() &&
             (graph.value(weight).type.is_quantized() || (producer != nullptr && producer->is("DequantizeLinear")));
  }
  return count;
}

struct Outcome {
  Graph graph;
  std::vector<PassNote> notes;
};

/// Fitted to all of `samples`; `original` is the network before schemes that ran earlier.
inline Outcome run_pass(std::string_view name, const Graph &graph, const SampleSet &samples, const Words &words,
                        int threads = 1, int channel_multiple = 1, const Graph *original = nullptr) {
  Outcome outcome{graph, {}};
  Job job = job_of(samples, words);
  job.threads = threads;
  job.channel_multiple = channel_multiple;
  job.original = original;
  job.note = [&](const PassNote &note) { outcome.notes.push_back(note); };
  const auto report = run_scheme(name, outcome.graph, job);
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
