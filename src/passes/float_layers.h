// The weighted layers of a float graph, ready to be compressed one after another (passes/layerwise.h).
#pragma once

#include <vector>

#include "calibrate/calibrate.h"
#include "passes/layerwise.h"

namespace edgec {

/// Layers with constant float weights and biases, in order. A layer that may have a bias and has none gets one of zeros,
/// each weight becomes a constant of its own, and Gemm's factors go into the numbers: the graph computes what it did.
std::vector<Layer> float_layers(Graph &graph, const PassContext &context);

/// Those of them whose weights the context's scope takes; what is in scope but cannot be taken is said in the name of `pass`.
std::vector<Layer> float_layers_in_scope(Graph &graph, const PassContext &context, std::string_view pass);

/// The channel means of the layers' targets in the original network: what compress_layers keeps.
Result<Calibration> target_means(const Graph &original, std::span<const Layer> layers, const PassContext &context);

/// Puts a weight of one row an output channel, and layer.bias, into the graph.
void store_float_weight(Graph &graph, const Layer &layer, const Matrix &rows);
void store_float_bias(Graph &graph, const Layer &layer);

} // namespace edgec
