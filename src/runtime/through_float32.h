// Kernels of float16 and bfloat16 values: those of float32, with conversions at the borders.
#pragma once

#include "ir/opdef.h"

namespace edgec {

/// The operator's fast form on float32, its half precision operands widened before it and its results rounded after it:
/// what is summed is summed in float32, as a processor's half precision units do. Error (unsupported): no operand or
/// result is of half precision, or the operator has no such form.
Result<Kernel> prepare_through_float32(const OpDef &op, const PrepareArgs &args);

} // namespace edgec
