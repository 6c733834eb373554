// --opset: the same network in another version of ONNX's operators, proven by running both.
#pragma once

#include "ir/graph.h"

namespace edgec {

/// Converts a model whose types are inferred, infers them again, and runs both on made-up inputs. What could not be run
/// is a note. Errors (unsupported) name the node that the opset cannot say, or the output that is another one.
Status change_opset(Model &model, std::int64_t opset);

} // namespace edgec
