// Reads types and tensor data of the textual syntax.
#pragma once

#include "ir/scanner.h"
#include "ir/type.h"

namespace edgec {

/// True where a type stands: an element type's name, seq, map, optional, sparse_tensor or `?`.
bool at_type(Scanner &scanner);
/// A type. `quantized`: braces right behind a tensor type are its scale and zero point; else they are left alone.
Result<Type> read_type(Scanner &scanner, bool quantized, int depth = 0);
/// `{1, 2, 3}` as a tensor of a type whose dims are all numbers.
Result<Tensor> read_tensor_data(Scanner &scanner, const Type &type);

} // namespace edgec
