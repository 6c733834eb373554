// Which nodes compute on codes and which values become codes: decided on the float graph, before calibration.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "ir/opdef.h"
#include "schemes/fitting/weights.h"

namespace edgec {

/// A Conv, ConvTranspose, Gemm or MatMul whose constant weights become codes.
struct Int8Layer {
  NodeId node;
  WeightInfo weights;
  ValueId data;               ///< what it reads
  ValueId target;             ///< float value whose channel means the layer should keep: after an absorbed activation
  std::optional<Clamp> clamp; ///< of the absorbed activation
  bool reads_reals = false;   ///< its data stay reals (Int8Request::reals, Int8Plan::wide): it computes on reals
  ValueId wide;               ///< the input whose 16-bit codes those reals stand for; none: another value
};

struct Int8Plan {
  std::set<NodeId> integer;             ///< compute on codes
  std::set<ValueId> quantized;          ///< float values that become codes
  std::map<ValueId, ValueId> group;     ///< quantized value -> representative of those that share its scale
  std::map<NodeId, NodeId> absorbed_by; ///< Relu or Clip -> the node whose saturation may do its work
  std::map<ValueId, std::pair<float, float>> fixed_ranges;
  std::vector<Int8Layer> layers;  ///< in order
  std::map<ValueId, Quant> exact; ///< codes of inputs that lose nothing by them
  /// Inputs that become 16-bit codes, and the nodes that read the reals these stand for: kernels of integers take 8
  /// bits, so those nodes compute on reals, with weights and biases in codes.
  std::map<ValueId, std::set<NodeId>> wide;
};

/// What a plan has to keep to.
struct Int8Constraints {
  bool integer_results =
      false;               ///< every integer node but a Gemm gets a quantized output (files of integer operators only)
  std::set<ValueId> wide;  ///< inputs that are to have 16 bits
  std::set<ValueId> reals; ///< values that stay float, and so does what only moves their elements
  std::optional<std::set<NodeId>> only; ///< no other nodes become integer; nothing: all that can
};

/// Says by `job.skip` why a node that could be integer stays float. Float operators take along what follows: an
/// operator that would read nothing but reals, and is no product, reads reals; codes begin at the next product.
Int8Plan plan_int8(const Graph &graph, const Job &job, const Int8Constraints &constraints);

/// Operand indices that are real-valued data.
std::vector<std::size_t> data_operands(const OpDef &op, const Node &node);
/// Whether operand `index` of a node that computes on codes is data, so codes.
bool reads_codes(const Int8Plan &plan, const OpRegistry &ops, const Graph &graph, const Use &use);

} // namespace edgec
