// The weights that lossy passes work on, found through OpDef::weights.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "schemes/job.h"

namespace edgec {

/// A constant and the nodes in scope that read it as their weight.
struct WeightTensor {
  ValueId value;
  struct Reader {
    NodeId node;
    WeightInfo info;
  };
  std::vector<Reader> readers;
};

/// Constant weights of rank >= 2 of a float type that is not quantized, each once, in the order of nodes. What is in
/// scope but cannot be taken is said with its reason in the name of `pass`.
std::vector<WeightTensor> float_weights(const Graph &graph, const Job &job, std::string_view pass);

/// One channel in, one channel out a group.
bool is_depthwise(const Graph &graph, const WeightTensor &weight);

/// Whether no other node with weights stands between it and the graph's inputs.
bool reads_input(const Graph &graph, const OpRegistry &ops, NodeId node);

/// The readers read `replacement` instead; the old constant goes where nobody else reads it.
void replace_weight(Graph &graph, const WeightTensor &weight, ValueId replacement);

} // namespace edgec
