// Two-fold cross-fitting: each sample is answered by a network that was fitted to the other half of the samples.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "calibrate/calibrate.h"
#include "measure/fidelity.h"
#include "schemes/job.h"

namespace edgec {

/// A network fitted to one half of the samples: those whose place in job.samples is `fold` modulo 2.
using FitHalf = std::function<Result<Graph>(std::span<const std::size_t> samples, std::size_t fold)>;

/// At most `count` of the samples, evenly spread over them, in their order.
std::vector<std::size_t> some_of(std::span<const std::size_t> samples, std::size_t count);

/// The samples of one half.
std::vector<std::size_t> half_of(std::span<const std::size_t> samples, std::size_t fold);

/// Which halves `samples` are: one of them, or both.
std::vector<int> folds_of(std::span<const std::size_t> samples, const Job &job);

/// The job on some of its samples; where they are not all, the network only judges, and half of the positions of each
/// sample do almost as well.
Job on_samples(const Job &job, std::span<const std::size_t> samples);

/// Has a calibration of the original network keep what it gives as the reference's outputs, where it computes those.
void keep_answers(const Graph &original, const Job &job, CalibrationOptions &options);

/// How faithful `graph` is to `reference` on job.samples.
Result<Fidelity> judge(const Graph &reference, const Graph &graph, const Job &job);

/// The same of two networks, each fitted to one half of the samples and judged on the other. Code::usage where there
/// are fewer than two samples.
Result<Fidelity> judge_held_out(const Graph &reference, const FitHalf &fit, const Job &job);

/// The same of one network, fitted to the first half and judged on the second.
Result<Fidelity> judge_second_half(const Graph &reference, const FitHalf &fit, const Job &job);

/// How `graph` does by job.evaluation, which is not null.
Result<Fidelity> judge_evaluation(const Graph &reference, const Graph &graph, const Job &job);

} // namespace edgec
