// How much a network's answers suffer from an error in one layer: what makes the errors of different layers comparable.
#pragma once

#include <map>
#include <span>

#include "schemes/job.h"

namespace edgec {

/// For each layer (a node with weights, OpDef::weights) the mean squared error of the logits over samples, caused by
/// white noise on the layer's weights (2 % of their rms; the shift of the means goes into the bias), per squared error
/// of the layer's output, mean over positions and summed over channels. Noise on weights, not on outputs: errors of a
/// weight are the same at every position and do not average out behind a pool. So D = sum over layers of S_l E|dW x|^2
/// estimates the squared error of the logits that changes dW of weights cause. Logits of a classifier (rows of more
/// than one number) are centred: softmax does not see their mean. Every output counts, where it is judged
/// (find_answers()) and relative to its power, in units of the first one that is not always the same. A layer that does
/// not lead to an output has 0.
///
/// Uses at most 64 of the job's samples; runs from each layer on only. Deterministic for any number of threads.
/// Code::unsupported: a value between the layers is not a tensor, or no output gives reals. Code::bad_input: the
/// outputs are 0 on all samples, or equal for all classes.
Result<std::map<NodeId, double>> layer_sensitivities(const Graph &graph, std::span<const NodeId> layers,
                                                     const Job &job);

/// The power of the output that those errors are told in the unit of: mean over at most 64 samples, about each row's
/// mean.
Result<double> answer_power(const Graph &graph, const Job &job);

} // namespace edgec
