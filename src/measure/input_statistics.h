// Whether samples are what a network was trained on, as far as its own statistics tell.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "data/samples.h"
#include "ir/opdef.h"

namespace edgec {

/// What the first BatchNormalization is given, beside the means and variances that it holds from training.
struct InputStatistics {
  std::string node; ///< the BatchNormalization
  double divergence =
      0;             ///< median over channels of Kullback and Leibler's, of the values from those of training (normal)
  double shift = 0;  ///< median over channels of |mean - its mean| in its standard deviations
  double spread = 1; ///< median over channels of the standard deviation, by its own

  [[nodiscard]] bool unlike_training() const;
};

/// Runs the part of `graph` up to the first BatchNormalization on the given samples. Nothing: there is none with
/// constant statistics, that part cannot be run, or the samples are too few.
std::optional<InputStatistics> compare_with_batch_norm(const Graph &graph, const OpRegistry &ops,
                                                       const SampleSet &samples, std::span<const std::size_t> indices,
                                                       Isa isa);

} // namespace edgec
