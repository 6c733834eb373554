// A Graph to GraphProto. Internal to this room.
#pragma once

#include "formats/onnx/proto.h"

namespace edgec::proto {

/// Whether big constants of the main graph are written, or stand there as graph inputs.
enum class Weights { written, left_out };

struct WrittenNames {
  std::vector<std::string> values;          ///< by value id
  std::map<std::string, Tensor> left_out;   ///< constants that were not written, by name
};

/// Writes a graph whose nodes are in order and that has no quantized types. Names of graph inputs, outputs and nodes
/// stay; inner names stay where they are free, others become short new ones.
WrittenNames write_graph(const Model &model, onnx::GraphProto &proto, Weights weights = Weights::written);

void put_opsets(const Opsets &opsets, onnx::ModelProto &proto);

} // namespace edgec::proto
