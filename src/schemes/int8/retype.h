// Retypes a float graph to codes as an Int8Plan says; numbers come from range statistics.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "compress/int8.h"
#include "compress/survivors.h"
#include "schemes/fitting/layerwise.h"
#include "schemes/int8/options.h"
#include "schemes/int8/placement.h"

namespace edgec {

/// A weighted layer after retyping, with the scales that its codes have.
struct Int8LayerState : Layer {
  /// Of the codes that it reads; infinite where it reads reals, which set its bias no units: that stays real.
  float input_scale = std::numeric_limits<float>::infinity();
  NumberSpec number;         ///< of the weight's codes
  Mask keep;                 ///< weights that pruning left; empty: all
  std::vector<float> scales; ///< of the weight

  [[nodiscard]] bool has_real_bias() const { return std::isinf(input_scale); }
};

/// Codes as a tensor of the type that a spec has.
Tensor weight_codes(const Dims &dims, std::vector<std::int8_t> codes, NumberSpec spec);

/// Whether all channels of a layer's weight have one scale: of a grouped ConvTranspose, and of a stack of matrices, as
/// integer operators know scales of columns for one matrix only.
bool has_one_scale(const WeightInfo &info);
/// How the channels that have scales of their own lie in the weight.
ChannelSpan scaled_channels(const Tensor &weight, const WeightInfo &info);

/// The codes of each value that becomes some.
Result<std::map<ValueId, Quant>> choose_quants(const Graph &graph, const Int8Plan &plan,
                                               const RangeStatistics &statistics, const Int8Options &options);

/// Returns the layers in topological order. Nodes that saturation makes superfluous are removed; QuantizeLinear and
/// DequantizeLinear are added where float and integer meet.
Result<std::vector<Int8LayerState>> retype_int8(Graph &graph, const Int8Plan &plan, const RangeStatistics &statistics,
                                                const Job &job);

/// Replaces codes that an operand is, or that the DequantizeLinear before it reads, and their scales.
void set_codes(Graph &graph, ValueId operand, Tensor codes, Quant quant);

/// Writes the layer's real bias as int32 codes into the graph.
void store_bias(Graph &graph, const Int8LayerState &layer);

} // namespace edgec
