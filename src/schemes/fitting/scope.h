// Which nodes lossy schemes may touch.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "support/pattern.h"

namespace edgec {

/// Regular expressions (whole name) over labels and origins, and operator types.
struct Scope {
  std::vector<Pattern> include, exclude;
  std::vector<std::string> op_types;
  /// Labels of the nodes that `include` names: what schemes spare by themselves (first layers, depthwise ones) is
  /// compressed where it is among them.
  std::vector<std::string> named;

  [[nodiscard]] bool allows(const Node &node) const;
  [[nodiscard]] bool names(const Node &node) const;
};

} // namespace edgec
