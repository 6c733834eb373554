// The weighted layers of a float graph, ready to be compressed one after another (fitting/layerwise.h).
#pragma once

#include <vector>

#include "calibrate/calibrate.h"
#include "schemes/fitting/layerwise.h"

namespace edgec {

/// Layers with constant float weights and biases, in order. A layer that may have a bias and has none gets one of
/// zeros, each weight becomes a constant of its own, and Gemm's factors go into the numbers: the graph computes what it
/// did.
std::vector<Layer> float_layers(Graph &graph, const Job &job);

/// Those of them whose weights the job's scope takes; what is in scope but cannot be taken is said in the name of
/// `pass`.
std::vector<Layer> float_layers_in_scope(Graph &graph, const Job &job, std::string_view pass);

/// The channel means of the layers' targets in the original network: what compress_layers keeps.
Result<Calibration> target_means(const Graph &original, std::span<const Layer> layers, const Job &job);

/// What layers of floats are fitted to.
struct FitTarget {
  const Graph &original; ///< whose outputs and means are kept
  RangeStatistics means; ///< channel means of its layers' targets
};

/// Fits layers whose biases stay floats, `steps.store_bias` and `steps.progress` ("`what`") are filled in.
Status fit_float_layers(Graph &graph, std::span<Layer *const> layers, const FitTarget &target, const Job &job,
                        std::string_view what, LayerSteps steps);

/// Pointers to all of them: what compress_layers() takes.
template <class Layers>
std::vector<Layer *> pointers_to(Layers &layers) {
  std::vector<Layer *> all;
  for (auto &layer : layers) all.push_back(&layer);
  return all;
}

/// Puts a weight of one row an output channel, and layer.bias, into the graph.
void store_float_weight(Graph &graph, const Layer &layer, const Matrix &rows);
void store_float_bias(Graph &graph, const Layer &layer);
/// Lets a layer read the weight of another that read the same before.
void share_float_weight(Graph &graph, const Layer &layer, const Layer &first);

} // namespace edgec
