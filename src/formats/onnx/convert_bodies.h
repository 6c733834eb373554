// Sub-graphs on the way to an older opset: ONNX's converter does not look into all of them. Internal to this room.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "formats/onnx/onnx.h"

namespace edgec::proto {

/// Operators in this domain are left alone by the converter.
inline constexpr const char *aside = "edgec.aside";

/// Constants that sub-graphs capture stand in them as well, with their own: axes, bounds and the like become attributes
/// again. Constant nodes become constants: old opsets know Constant nodes of a few types only.
void lend_constants(Graph &graph);

/// The sub-graphs of a model's nodes, converted as models of their own.
class Bodies {
public:
  /// Takes them out of the nodes, which stand aside then and read what they captured as operands. Nodes with sub-graphs
  /// of unknown types or ranks stay as they are. Errors: those of convert_opset.
  Status take(Model &model, std::int64_t target);
  /// Puts them back into the nodes of the converted graph.
  void put_back(Graph &graph);

private:
  struct Entry {
    std::string op;
    std::size_t inputs = 0;
    std::vector<std::pair<std::string, Graph>> bodies; // by attribute
  };
  std::vector<Entry> entries_;

  Status take_from(Model &model, NodeId id, std::int64_t target);
};

} // namespace edgec::proto
