// What differs between two networks as they are written: interface, operators, attributes, connections, weights.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "measure/fidelity.h"

namespace edgec {

/// Something that stands in one network and in the other: text as people read it; empty: it is not there.
struct Difference {
  std::string what, a, b;
  friend bool operator==(const Difference &, const Difference &) = default;
};

/// A constant operand that both have and that differs.
struct WeightDifference {
  std::size_t operand = 0;
  std::string name, type_a, type_b;
  std::optional<Noise> noise; ///< of b's reals against a's; nothing: another number of elements, or no numbers
};

/// A pair of nodes that differ.
struct NodeDiff {
  std::string label, op;
  std::vector<Difference> changes; ///< operator, attributes, connections, element types of outputs
  std::vector<WeightDifference> weights;
};

struct GraphDiff {
  std::vector<Difference> model;                                        ///< versions, inputs, outputs, metadata
  std::map<std::string, std::pair<std::size_t, std::size_t>> operators; ///< counts in a and b, where they differ
  std::vector<std::string> only_a, only_b;                              ///< nodes without a counterpart: "conv1 (Conv)"
  std::vector<NodeDiff> nodes;
  std::size_t equal_nodes = 0; ///< pairs without a difference
  [[nodiscard]] bool same() const { return model.empty() && only_a.empty() && only_b.empty() && nodes.empty(); }
};

/// Pairs nodes by the names of the files that they come from, else by the name of their first output, else by operator
/// and order; types must have been inferred. Names alone are not a difference. Main graphs only: sub-graphs are
/// compared as a whole.
GraphDiff diff_models(const Model &a, const Model &b);

} // namespace edgec
