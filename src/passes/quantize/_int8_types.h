// Retypes a float graph to 8-bit codes as an Int8Plan says; numbers come from range statistics.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "compress/survivors.h"
#include "passes/layerwise.h"
#include "passes/quantize/_int8_plan.h"

namespace edgec {

/// A weighted layer after retyping, with the scales that its codes have.
struct Int8LayerState : Layer {
  /// Of the codes that it reads; infinite where it reads reals, which set its bias no units: that stays real.
  float input_scale = std::numeric_limits<float>::infinity();
  Mask keep;                 ///< weights that pruning left; empty: all
  std::vector<float> scales; ///< of the weight

  [[nodiscard]] bool has_real_bias() const { return std::isinf(input_scale); }
};

/// The largest code of a symmetric weight, and its element type.
constexpr int weight_levels(const LossyOptions &options) { return options.weight_bits == 4 ? 7 : 127; }
constexpr DType weight_type(const LossyOptions &options) { return options.weight_bits == 4 ? DType::int4 : DType::int8; }
/// Codes as a tensor of that type.
Tensor weight_codes(const Dims &dims, std::vector<std::int8_t> codes, const LossyOptions &options);

/// The codes of each value that becomes some.
Result<std::map<ValueId, Quant>> choose_quants(const Graph &graph, const Int8Plan &plan, const RangeStatistics &statistics,
                                               const LossyOptions &options);

/// Returns the layers in topological order. Nodes that saturation makes superfluous are removed; QuantizeLinear and
/// DequantizeLinear are added where float and integer meet.
Result<std::vector<Int8LayerState>> retype_int8(Graph &graph, const Int8Plan &plan, const RangeStatistics &statistics,
                                                const PassContext &context);

/// Replaces codes that an operand is, or that the DequantizeLinear before it reads, and their scales.
void set_codes(Graph &graph, ValueId operand, Tensor codes, Quant quant);

/// Writes the layer's real bias as int32 codes into the graph.
void store_bias(Graph &graph, const Int8LayerState &layer);

} // namespace edgec
