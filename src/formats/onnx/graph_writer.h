// A Graph to GraphProto. Internal to this room.
#pragma once

#include "formats/onnx/proto.h"

namespace edgec::proto {

/// Whether big constants of the main graph are to be put into the serialized message (lower_tensors), are told where
/// they lie in another file, or stand there as graph inputs.
enum class Weights { lowered, external, left_out };

/// Writes a graph whose nodes are in order and that has no quantized types. Names of graph inputs and outputs stay;
/// inner names stay where they are free, others become short new ones. Names of nodes stay but for those that a node
/// before has, in the model or in a sub-graph: they end in _1, _2 ... `location`: the name of the other file. Gives
/// what is to be lowered, or the other file's bytes, in order.
std::vector<ByteView> write_graph(const Model &model, onnx::GraphProto &proto, Weights weights,
                                  const std::string &location = {});

void put_opsets(const Opsets &opsets, onnx::ModelProto &proto);

} // namespace edgec::proto
