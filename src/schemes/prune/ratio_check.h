// How much a network may be pruned: what a ratio does to the answers, on samples that the weights were not fitted to.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "schemes/job.h"

namespace edgec {

/// The network pruned at a ratio, fitted to some of the samples.
using PrunedAt = std::function<Result<Graph>(double ratio, std::span<const std::size_t> samples)>;

/// What was asked of a pass.
struct AskedRatio {
  std::string_view pass;
  std::string text;     ///< "0.7", "2:4"
  double ratio = 0;     ///< as it counts for smaller ones
  bool has_less = true; ///< smaller ratios can be tried
};

/// Where many answers of the samples change, even though the weights were fitted to these, says so: how many on samples
/// that were held out, and the largest ratio found that keeps all but one point of them. "0.7 changes 9.0 % of the
/// answers on held-out samples; 0.55 is the largest ratio tried that keeps one point". Networks without answers (scores
/// of classes) are not judged.
///
/// Smaller ratios are tried a few times, each fitted to some of the samples and judged on half of them. How the
/// share of changed answers has grown with the ratio so far says which is next.
Status judge_pruning(const Graph &original, const Graph &pruned, const PrunedAt &pruned_at, const AskedRatio &asked,
                     const Job &job);

} // namespace edgec
