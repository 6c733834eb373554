// A Graph to GraphProto. Internal to this room.
#pragma once

#include "formats/onnx/proto.h"

namespace edgec::proto {

/// Writes a graph whose nodes are in order. Names of graph inputs, outputs and nodes stay; inner names stay where they
/// are free, others become short new ones.
void write_graph(const Model &model, onnx::GraphProto &proto);

} // namespace edgec::proto
