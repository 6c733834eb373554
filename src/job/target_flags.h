// The runtime whose arithmetic a network is measured with: --target.
#pragma once

#include <string>

#include "ir/opdef.h"
#include "support/option.h"

namespace edgec {

struct TargetFlags {
  std::string name; ///< of a Target; empty: exact integers

  void declare(Options &options);
  /// What runs a network as that runtime does.
  [[nodiscard]] const OpRegistry &ops() const;
};

} // namespace edgec
