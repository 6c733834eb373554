// A parsed model to a Graph. Internal to this room.
#pragma once

#include "formats/onnx/onnx.h"
#include "formats/onnx/proto.h"

namespace edgec::proto {

/// Sub-graphs may be nested this deep.
inline constexpr int nesting_limit = 32;
/// Opsets of the default domain that are read as they are; older ones are raised.
inline constexpr std::int64_t oldest_opset = 7, newest_opset = 28;

/// Builds the graph of a model whose functions are inlined; weights leave `proto`. Names what is wrong: duplicate
/// names, inputs that nothing computes, cycles.
Status read_graph(onnx::GraphProto &proto, const OnnxReadOptions &options, ExternalData &external, Model &model);

} // namespace edgec::proto
