// Two networks node by node on one sample: where they begin to differ, and where most.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "measure/fidelity.h"

namespace edgec {

/// A node's first output beside that of its counterpart.
struct NodeDifference {
  std::string node, op;  ///< in the test network
  std::string reference; ///< its counterpart
  Noise noise;           ///< count 0: there is nothing to compare
  /// Its channels come at other scales, which the layers behind it undo: noise is what one positive factor per channel
  /// leaves.
  bool equalized = false;
  std::size_t channels = 0, kept_channels = 0; ///< of the counterpart, and those that are left; 0: all

  /// "equalized", "5 of 16 channels removed" or nothing.
  [[nodiscard]] std::string remark() const;
};

/// Every node of `test`, in order, that has a counterpart in `reference`: the node of the same label, or, since fused
/// nodes keep the name of their first, one of the few behind it that alone read each other's output; the closest of
/// them counts. Codes are compared as the reals they stand for. Noise is summed over `samples`; all values of both
/// networks on one of them are kept in memory.
Result<std::vector<NodeDifference>> compare_nodes(const Graph &reference, const Graph &test, const OpRegistry &ops,
                                                  std::span<const Sample> samples, Isa isa);

/// So many samples tell the factor of a channel of one element from an error.
constexpr std::size_t node_samples = 4;

} // namespace edgec
