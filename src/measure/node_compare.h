// Two networks node by node on one sample: where they begin to differ, and where most.
#pragma once

#include <string>
#include <vector>

#include "measure/fidelity.h"

namespace edgec {

/// A node's first output beside that of its counterpart.
struct NodeDifference {
  std::string node, op;  ///< in the test network
  std::string reference; ///< its counterpart
  Noise noise;
};

/// Every node of `test`, in order, that has a counterpart in `reference`: the node of the same label, or, since fused
/// nodes keep the name of their first, one of the few behind it that alone read each other's output; the closest of
/// them counts. Codes are compared as the reals they stand for. Keeps all values of both networks in memory.
Result<std::vector<NodeDifference>> compare_nodes(const Graph &reference, const Graph &test, const OpRegistry &ops,
                                                  const Sample &sample, Isa isa);

} // namespace edgec
