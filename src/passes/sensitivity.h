// How much a network's answers suffer from an error in one layer: what makes the errors of different layers comparable.
#pragma once

#include <functional>
#include <map>
#include <span>

#include "passes/pass.h"

namespace edgec {

/// For each layer (a node with weights, OpDef::weights) the mean squared error of the logits over samples, caused by
/// white noise on the layer's weights (2 % of their rms; the shift of the means goes into the bias), per squared error of
/// the layer's output, mean over positions and summed over channels. Noise on weights, not on outputs: errors of a weight
/// are the same at every position and do not average out behind a pool. So D = sum over layers of S_l E|dW x|^2 estimates the squared error of the logits that changes dW of
/// weights cause. Logits of a classifier (rows of more than one number) are centred: softmax does not see their mean.
/// Where the graph has further outputs their errors count as well, each relative to its power. A layer that does not
/// lead to an output has 0.
///
/// Uses at most 64 of the context's samples; runs from each layer on only. Deterministic for any number of threads.
/// Code::unsupported: a value between the layers is no tensor.
Result<std::map<NodeId, double>> layer_sensitivities(const Graph &graph, std::span<const NodeId> layers,
                                                     const std::function<ValueId(const Graph &)> &logits,
                                                     const PassContext &context);

} // namespace edgec
