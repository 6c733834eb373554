// What a user asks to change of a network before anything else: the shapes of its inputs, or its batch.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/opdef.h"

namespace edgec {

/// The dims of a graph input; or one dim, for a symbol of that name wherever it stands.
struct ShapeEdit {
  std::string name;
  Shape shape;
};

/// Gives inputs other shapes. A symbol that becomes a number does so everywhere. Computed dims are forgotten: types are
/// to be inferred again. Errors (usage): no such input or symbol, another rank, two numbers for one symbol.
Status set_input_shapes(Graph &graph, std::span<const ShapeEdit> edits);

/// Forgets every shape that is not a graph input's, in sub-graphs, too: what a file declares may be wrong.
void forget_declared_shapes(Graph &graph);

/// Gives the batch, the first dim of the first input that has one and of all inputs that share it, another size or
/// name. A Reshape or Resize to a constant shape that begins with the old size keeps its operand's first dim instead.
/// Types are inferred. Errors: no input has a batch (usage); a node that does not work for another batch (bad_input,
/// named). `notes` gets a sentence for each output that does not depend on the batch.
Status set_batch(Graph &graph, const Dim &batch, const OpRegistry &ops, std::vector<std::string> &notes);

} // namespace edgec
