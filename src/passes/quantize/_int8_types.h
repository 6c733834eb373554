// Retypes a float graph to 8-bit codes as an Int8Plan says; numbers come from range statistics.
#pragma once

#include <vector>

#include "passes/quantize/_int8_plan.h"

namespace edgec {

/// A weighted layer after retyping: what bias correction needs to go on.
struct Int8LayerState {
  NodeId node;
  WeightInfo weights;
  ValueId data;                 ///< codes that it reads
  ValueId output;               ///< its output, behind an activation that could not be absorbed
  ValueId target;               ///< key of its float means in the statistics
  bool clamped = false;         ///< saturation of the output does an activation's work
  float input_scale = 1;
  std::vector<float> scales;    ///< of the weight
  std::vector<double> bias;     ///< real; empty: the operator has none
};

/// Returns the layers in topological order. Nodes that saturation makes superfluous are removed; QuantizeLinear and
/// DequantizeLinear are added where float and integer meet.
Result<std::vector<Int8LayerState>> retype_int8(Graph &graph, const Int8Plan &plan, const RangeStatistics &statistics,
                                                const PassContext &context);

/// Writes the layer's real bias as int32 codes into the graph.
void store_bias(Graph &graph, const Int8LayerState &layer);

} // namespace edgec
