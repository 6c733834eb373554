// How much the network's answer suffers from an error in one layer's output.
#pragma once

#include <vector>

#include "passes/layerwise.h"

namespace edgec {

/// For each layer: squared error of the outputs (of the logits, each sample's mean error taken off, where there is one
/// output; else of all, each in units of its own power) per squared error of the layer's output, summed over its
/// channels. Measured by white noise on its weights, 2 % of its output's rms, on at most `samples` of context.samples.
/// `inputs`: covariance of what each layer reads (groups == 1); an empty one: the layer gets 0.
Result<std::vector<double>> sensitivities(const Graph &graph, const std::vector<Layer> &layers,
                                          const std::vector<Covariance> &inputs, const PassContext &context,
                                          std::size_t samples);

} // namespace edgec
