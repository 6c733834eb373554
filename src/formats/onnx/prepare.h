// What is done to a parsed model before it becomes a graph. Internal to this room.
#pragma once

#include "formats/onnx/onnx.h"
#include "formats/onnx/proto.h"

namespace edgec::proto {

/// Repairs what onnxruntime accepts and ONNX does not: a later Constant node replaces an earlier one of the same
/// output. Says so in `notes`.
void repair(onnx::GraphProto &graph, std::vector<std::string> &notes);

/// Error (bad_input): an Einsum whose equation ONNX's shape inference would never come back from.
Status check_equations(const onnx::ModelProto &model);

/// Replaces calls of model-local functions by their bodies (ONNX's inliner). Errors: cycles, functions that grow
/// beyond reason or speak other operator sets.
Status inline_functions(onnx::ModelProto &model, std::vector<std::string> &notes);

/// Small external tensors come into the message, so that the checker and the converter see shapes.
Status load_small_external(onnx::GraphProto &graph, ExternalData &external);

} // namespace edgec::proto
