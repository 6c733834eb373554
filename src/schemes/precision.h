// The numbers that a network's values and weights are stored in.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "compress/number_spec.h"
#include "ir/graph.h"

namespace edgec {

inline constexpr NumberSpec int8_weights{8, true}, uint8_values{8, false}, uint16_values{16, false};

/// What is asked of a network's numbers: defaults, and what differs from them. No number: float. Searches and budgets
/// are functions from one spec to another.
struct NetworkSpec {
  NumberSpec values = uint8_values, weights = int8_weights;
  std::map<ValueId, std::optional<NumberSpec>> other_values;
  std::map<NodeId, NumberSpec> other_weights;
  std::set<NodeId> float_nodes; ///< that compute on floats with float weights
  std::set<NodeId> fused;       ///< of these, activations that the kernel of the layer before computes
  /// Every node that computes on codes, but a Gemm, gets a quantized output (files of integer operators only).
  bool integer_results = false;

  [[nodiscard]] std::optional<NumberSpec> value(ValueId id) const {
    const auto found = other_values.find(id);
    return found == other_values.end() ? values : found->second;
  }
  [[nodiscard]] NumberSpec weight(NodeId id) const {
    const auto found = other_weights.find(id);
    return found == other_weights.end() ? weights : found->second;
  }
};

} // namespace edgec
