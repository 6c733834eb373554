// Which nodes compute on codes and which values become codes: decided on the float graph, before calibration.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "ir/opdef.h"
#include "passes/weights.h"

namespace edgec {

/// A Conv, ConvTranspose, Gemm or MatMul with constant weights that will run on codes.
struct Int8Layer {
  NodeId node;
  WeightInfo weights;
  ValueId data;               ///< what it reads
  ValueId target;             ///< float value whose channel means the layer should keep: after an absorbed activation
  std::optional<Clamp> clamp; ///< of the absorbed activation
  ValueId wide;               ///< the input whose 16-bit codes it reads as reals (Int8Plan::wide); none: it reads codes
};

struct Int8Plan {
  std::set<NodeId> integer;               ///< compute on codes
  std::set<ValueId> quantized;            ///< float values that become codes
  std::map<ValueId, ValueId> group;       ///< quantized value -> representative of those that share its scale
  std::map<NodeId, NodeId> absorbed_by;   ///< Relu or Clip -> the node whose saturation may do its work
  std::map<ValueId, std::pair<float, float>> fixed_ranges;
  std::vector<Int8Layer> layers;          ///< in order
  std::map<ValueId, Quant> exact;         ///< codes of inputs that lose nothing by them
  /// Inputs that become 16-bit codes, and the nodes that read the reals these stand for: kernels of integers take 8 bits,
  /// so those nodes compute on reals, with weights and biases in codes.
  std::map<ValueId, std::set<NodeId>> wide;
};

/// Says by `context.skip` why a node that could be integer stays float. `integer_results`: every integer node but a
/// Gemm gets a quantized output (for a file of operators that exist in integer form only).
/// `wide`: inputs that are to have 16 bits. `only`: no other nodes become integer; null: all that can.
Int8Plan plan_int8(const Graph &graph, const PassContext &context, bool integer_results,
                   const std::set<ValueId> &wide = {}, const std::set<NodeId> *only = nullptr);

/// Operand indices that are real-valued data.
std::vector<std::size_t> data_operands(const OpDef &op, const Node &node);

} // namespace edgec
