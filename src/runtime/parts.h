// Networks whose packed weights do not fit into memory: run part by part.
#pragma once

#include <span>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

struct PartOptions {
  Isa isa = Isa::scalar;
  std::size_t weight_bytes = std::size_t{64} << 20; ///< weights of one part; a node with more runs its reference kernel
  std::size_t most_bytes = 0;                       ///< that a part's results may take; 0: any
};

/// Runs a graph in parts of a few nodes each, one after the other. Kernels pack the weights of one part at a time, and
/// weights of mapped files leave memory behind it. Feeds in order of the graph's inputs, results in order of `fetches`.
/// Errors: as Plan::compile, and Code::resource where a part's results take more than allowed.
Result<std::vector<RuntimeValue>> run_in_parts(const Graph &graph, const OpRegistry &ops,
                                               std::span<const RuntimeValue> feeds, std::span<const ValueId> fetches,
                                               const PartOptions &options);

/// Bytes of all constants, those of sub-graphs included.
std::size_t constant_bytes(const Graph &graph);

} // namespace edgec
