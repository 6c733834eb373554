// Models to write and read back, and what "the same model" means.
#pragma once

#include <gtest/gtest.h>

#include "ir/graph.h"

namespace edgec::testing {

/// Field by field. Values are compared where they are used, so that ids may differ.
::testing::AssertionResult same_model(const Model &a, const Model &b);

/// Every attribute kind, dtype, type kind, sub-graphs with captures, quantized types, strings, metadata.
Model rich_model();

/// A small convolutional network with int8 weights, half of them zero, float ones of 16 values, and real ones.
Model small_network();

/// A layer of integer codes that are large in some rows, four-bit ones, halves, scales on a grid, and an
/// explicit DequantizeLinear whose scales are those of its operand's type.
Model coded_network();

} // namespace edgec::testing
