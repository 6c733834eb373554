// Samples distilled through a network until its BatchNormalizations see what they saw in training: Cai et al., "ZeroQ:
// A Novel Zero Shot Quantization Framework", 2020.
#pragma once

#include <functional>
#include <memory>

#include "data/samples.h"
#include "ir/opdef.h"

namespace edgec {

struct DistillationOptions {
  std::size_t steps = 60; ///< of gradient descent, for each batch
  std::size_t batch = 16; ///< samples whose moments are taken together
  double rate = 0.1;      ///< the largest step, in standard deviations of the input
  int threads = 1;
  Isa isa = Isa::scalar;
  std::function<void(std::size_t done, std::size_t all)> progress;
};

/// Samples, and how far the moments before the normalizations are from the running ones: the mean over normalizations
/// and channels of ((m - mu) / sigma)^2 + (s / sigma - 1)^2, m and s being mean and standard deviation over a batch.
struct DistilledSamples {
  std::unique_ptr<SampleSet> samples;
  double before = 0, after = 0;
};

/// Moves the float inputs of samples, all of one shape, by gradient descent (Adam) on that distance; what a batch holds
/// stays within its range. `network` is as it was read, before normalizations are folded. Errors
/// (unsupported): none is left; an operator before the last one has no gradient; samples of several shapes.
Result<DistilledSamples> distilled_samples(const Graph &network, const OpRegistry &ops, const SampleSet &start,
                                           std::span<const std::size_t> indices, const DistillationOptions &options);

} // namespace edgec
