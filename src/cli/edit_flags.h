// --input-shape, --batch, --extract: what of a network is worked on.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"
#include "ir/graph.h"

namespace edgec {

struct EditFlags {
  std::vector<std::string> input_shapes;
  std::string batch, extract;

  void declare(Options &options);
  [[nodiscard]] bool any() const { return !input_shapes.empty() || !batch.empty() || !extract.empty(); }
  /// Edits a model as it was read, and infers its types. Errors (usage) name the flag, and near names.
  [[nodiscard]] Status apply(Model &model) const;
  /// What was asked for, as (key, value): for provenance.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> effective() const;
};

} // namespace edgec
