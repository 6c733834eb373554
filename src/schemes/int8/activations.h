// What static int8 chose for the values between layers, for the report.
#pragma once

#include <vector>

#include "measure/report.h"
#include "schemes/int8/options.h"
#include "schemes/int8/source.h"

namespace edgec {

/// Every value of the plan that became codes and is not a constant, in the order of the graph: its range, and how what
/// calibration saw lies in it. Bins run over both; they are empty where the range method counts nothing.
Result<std::vector<ActivationFigures>> activation_figures(const Int8Source &source, const Int8Options &options);

} // namespace edgec
