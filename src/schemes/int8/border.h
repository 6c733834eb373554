// Where float and codes meet.
#pragma once

#include <set>

#include "schemes/precision.h"

namespace edgec {

/// The codes of `reals`: a QuantizeLinear before `before` (none: last), with its scale and zero point.
ValueId add_quantize(Graph &graph, ValueId reals, NumberSpec number, const Quant &quant, NodeId before = {});

/// The reals that `codes` stand for, of the type `reals`: a DequantizeLinear.
ValueId add_dequantize(Graph &graph, ValueId codes, NumberSpec number, const Quant &quant, Type reals,
                       NodeId before = {});

/// Clip and Relu that only a QuantizeLinear to 4 bits reads, which saturates within their bounds, go: onnxruntime
/// (1.31) does not load a Clip there. Those among `ends` go before other codes, too.
void drop_saturated_clamps(Graph &graph, const std::set<NodeId> *ends = nullptr);

} // namespace edgec
