// Weights that are stored as codes, made real once.
#pragma once

#include "ir/opdef.h"

namespace edgec {

struct PlanOptions;

/// What reads a DequantizeLinear of constants reads the reals instead: all plans of a graph share these, none computes
/// them again. Values that `options` names stay as they are.
void make_constants_real(Graph &graph, const OpRegistry &ops, const PlanOptions &options);

} // namespace edgec
