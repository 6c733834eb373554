// --input-shape, --batch, --fix-input, --extract: what of a network is worked on.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "support/option.h"

namespace edgec {

struct EditFlags {
  std::vector<std::string> input_shapes, fixed_inputs;
  std::string batch, extract;
  bool skip_absent = false; ///< --fix-input may name inputs that the network does not have

  void declare(Options &options);
  /// --fix-input alone, for commands that run a network as it is.
  void declare_fixed(Options &options);
  [[nodiscard]] bool any() const {
    return !input_shapes.empty() || !fixed_inputs.empty() || !batch.empty() || !extract.empty();
  }
  /// For a network beside the one that is edited: its inputs of the same names become the same constants.
  [[nodiscard]] EditFlags beside() const {
    EditFlags flags;
    flags.fixed_inputs = fixed_inputs;
    flags.skip_absent = true;
    return flags;
  }
  /// Edits a model as it was read, and infers its types. Errors (usage) name the flag, and near names.
  [[nodiscard]] Status apply(Model &model) const;
};

} // namespace edgec
