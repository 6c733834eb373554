// Which nodes compute on codes and which values become codes: decided on the float graph, before calibration.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "ir/clamp.h"
#include "ir/opdef.h"
#include "schemes/fitting/weights.h"
#include "schemes/precision.h"

namespace edgec {

/// A Conv, ConvTranspose, Gemm or MatMul whose constant weights become codes.
struct Int8Layer {
  NodeId node;
  WeightInfo weights;
  NumberSpec number;          ///< of the weight's codes
  ValueId data;               ///< what it reads
  ValueId target;             ///< float value whose channel means the layer should keep: after an activation
  std::optional<Clamp> clamp; ///< of that activation
  bool fused = false;         ///< that activation stays, on floats
  bool reads_reals = false;   ///< its data stay reals, or integer kernels do not read their codes: it computes on reals
  ValueId origin;             ///< the value whose codes those reals stand for; none: no codes
};

struct Int8Plan {
  std::set<NodeId> integer;                ///< compute on codes
  std::map<ValueId, NumberSpec> quantized; ///< float values that become codes
  std::map<ValueId, ValueId> group;        ///< quantized value -> representative of those that share its scale
  std::map<NodeId, NodeId> absorbed_by;    ///< Relu or Clip -> the node whose saturation may do its work
  std::map<ValueId, std::pair<float, float>> fixed_ranges;
  std::vector<Int8Layer> layers;  ///< in order
  std::map<ValueId, Quant> exact; ///< codes that are known: of inputs that lose nothing by them, and kept ones
};

/// Resolves what is asked of the network's numbers. Says by `job.skip` why a node that could be integer stays float.
/// Float operators take along what follows: an operator that would read nothing but reals, and is not a product, reads
/// reals; codes begin at the next product. Readers of codes that no integer kernel reads compute on their reals.
Int8Plan plan_int8(const Graph &graph, const Job &job, const NetworkSpec &spec);

/// Operand indices that are real-valued data.
std::vector<std::size_t> data_operands(const OpDef &op, const Node &node);
/// Whether operand `index` of a node that computes on codes is data, so codes.
bool reads_codes(const Int8Plan &plan, const OpRegistry &ops, const Graph &graph, const Use &use);

} // namespace edgec
