// A Graph to GraphProto. Internal to this room.
#pragma once

#include "formats/onnx/proto.h"

namespace edgec::proto {

/// Whether big constants of the main graph are to be put into the serialized message (lower_tensors), are told where
/// they lie in another file, or stand there as graph inputs.
enum class Weights { lowered, external, left_out };

struct WrittenNames {
  std::vector<std::string> values;        ///< by value id
  std::map<std::string, Tensor> left_out; ///< constants that were not written, by name
  std::vector<ByteView> blobs;            ///< what is to be lowered; or the other file's bytes, in order
};

/// Writes a graph whose nodes are in order and that has no quantized types. Names of graph inputs, outputs and nodes
/// stay; inner names stay where they are free, others become short new ones. `location`: the name of the other file.
WrittenNames write_graph(const Model &model, onnx::GraphProto &proto, Weights weights,
                         const std::string &location = {});

void put_opsets(const Opsets &opsets, onnx::ModelProto &proto);

} // namespace edgec::proto
