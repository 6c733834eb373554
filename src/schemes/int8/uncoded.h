// A network of codes as the floats that they stand for: what schemes start from that compress it further. Its values
// get the codes back that they had.
#pragma once

#include <map>
#include <set>

#include "compress/number_spec.h"
#include "ir/graph.h"
#include "ir/opdef.h"

namespace edgec {

/// What were codes. Ids are those of both networks.
struct KeptCodes {
  struct Value {
    NumberSpec number;
    Quant quant;
  };
  std::map<ValueId, Value> values;      ///< of values that one layer hands to the next, and constants beside them
  std::map<NodeId, NumberSpec> weights; ///< of layers
  std::set<NodeId> nodes;               ///< that computed on codes, or with weights in codes
  std::set<NodeId> ends;                ///< Clips that stand for saturation
};

/// Which kinds of numbers of a network are codes: behind QuantizeLinear, DequantizeLinear or integer operators.
struct CodeKinds {
  std::size_t values = 0, weights = 0;
  std::size_t dynamic = 0; ///< products and LSTMs on codes whose ranges are found as they run (dynamic/undo.h)
  NumberSpec weight;       ///< of the first layer with such weights
};
CodeKinds code_kinds(const Graph &graph, const OpRegistry &ops);

/// What becomes of the ends of codes, at which values saturated.
enum class Saturation {
  kept, ///< Clip there: the network answers as before, up to the rounding of sums
  freed ///< where new ranges are sought: only what looks like a Relu or Relu6 that became saturation stays
};

/// Turns the network into floats. Codes whose operator could not make them again stay: tables, weights of recurrent
/// networks, and, where values are codes, of layers that read reals. Error (unsupported): an input or output of the
/// network is codes, or a value has scales per channel.
Result<KeptCodes> uncode(Graph &graph, const OpRegistry &ops, Saturation saturation = Saturation::kept);

} // namespace edgec
