// Two-fold cross-fitting: each sample is answered by a network that was fitted to the other half of the samples.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "passes/pass.h"

namespace edgec {

/// A network fitted to one half of the samples: those whose place in context.samples is `fold` modulo 2.
using FitHalf = std::function<Result<Graph>(std::span<const std::size_t> samples, std::size_t fold)>;

/// At most `count` of the samples, evenly spread over them, in their order.
std::vector<std::size_t> some_of(std::span<const std::size_t> samples, std::size_t count);

/// The samples of one half.
std::vector<std::size_t> half_of(std::span<const std::size_t> samples, std::size_t fold);

/// Which halves `samples` are: one of them, or both.
std::vector<int> folds_of(std::span<const std::size_t> samples, const PassContext &context);

/// The context on some of its samples; where they are not all, the network only judges, and half of the positions of each
/// sample do almost as well.
PassContext on_samples(const PassContext &context, std::span<const std::size_t> samples);

/// Logits of context.samples, in their order.
Result<std::vector<Tensor>> held_out_logits(const FitHalf &fit, const std::function<ValueId(const Graph &)> &logits,
                                            const PassContext &context);

/// Logits of context.samples by one network.
Result<std::vector<Tensor>> logits_of(const Graph &graph, const std::function<ValueId(const Graph &)> &logits,
                                      const PassContext &context);

/// Power of the reference over that of the difference, in decibels.
double sqnr_db(const std::vector<Tensor> &reference, const std::vector<Tensor> &test);

/// Share of samples with the same largest element.
double agreement(const std::vector<Tensor> &reference, const std::vector<Tensor> &test);

} // namespace edgec
