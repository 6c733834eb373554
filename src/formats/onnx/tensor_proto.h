// Single tensors, sequences and optionals as ONNX's test data stores them (.pb files).
#pragma once

#include <filesystem>

#include "ir/opdef.h"
#include "support/result.h"

namespace edgec {

/// Reads a serialized TensorProto. Errors name the file.
Result<Tensor> read_tensor_proto(const std::filesystem::path &path);

/// Reads what a .pb file of test data holds for a value of the given type: a TensorProto, SequenceProto or
/// OptionalProto.
Result<RuntimeValue> read_value_proto(const std::filesystem::path &path, const Type &type);

} // namespace edgec
