// Training towards the network that was read, as `--tune` asks for it.
#pragma once

#include <set>
#include <string_view>
#include <vector>

#include "schemes/scheme.h"
#include "train/trainer.h"

namespace edgec {

/// Weights and biases of layers, codebooks, numbers that are added to results, and what normalizations scale by: float
/// constants in scope that are not among `known`. What is 0 in weights stays so.
std::vector<Parameter> float_parameters(const Graph &graph, const Job &job, std::span<const Parameter> known = {});

/// The share of weights that goes before training where --max-size is to be met: what is left takes some 5.5 bits. 0:
/// none, as above 1.6 bits a weight coding alone loses less, or no size is asked for.
double zeros_before_training(const Graph &graph, const OpRegistry &ops, const Settings &settings);

struct Tuning {
  double share = 1; ///< of the budget
  double zeros = 0; ///< TrainOptions::zeros
};

/// Trains `parameters` of the graph, which changes where that improved it; says, in the name of `scheme`, what came of
/// it.
Result<Trained> tune_parameters(Graph &graph, std::span<const Parameter> parameters, const Job &job,
                                std::string_view scheme, Tuning tuning);

} // namespace edgec
