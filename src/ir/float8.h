// 8- and 4-bit floats of ONNX (docs/docsgen/source/technical/float8.md, OCP MX specification v1.0).
#pragma once

#include <cstdint>

#include "ir/dtype.h"

namespace edgec {

float float8_to_float(DType dtype, std::uint8_t code);
/// Nearest even (float8e8m0: up), saturating as ONNX's Cast with saturate=1. float4e2m1 has no NaN: it becomes -0.
std::uint8_t float_to_float8(DType dtype, float value);

} // namespace edgec
