// What ONNX's checker says of a model that is to be written, where it and the operators do not agree. Internal to this
// room.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>

namespace edgec::proto {

struct Verdict {
  std::string failure;    ///< what the checker has against the model; empty: nothing
  bool tolerable = false; ///< it speaks of what runtimes know better: shapes, and operators of their own
};

/// Checks a model. Where ONNX's shape inference gives other dims than the operators do (of pooling with ceil_mode,
/// say), those dims of outputs are left out of the model. A graph output whose shape nobody knows is not a failure of
/// the rest.
Verdict settle(onnx::ModelProto &model);

} // namespace edgec::proto
