// Options of training what a network lost back.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "ir/kernel.h"
#include "support/option.h"
#include "support/result.h"
#include "support/settings.h"

namespace edgec {

struct TuneOptions {
  std::string budget; ///< as asked
  std::size_t steps = 0;
  double cpu_seconds = 0;
  std::optional<double> rate;
  std::string optimizer = "adam";
  std::string loss = "squared-error";
  double temperature = 4;           ///< of the divergence
  std::vector<std::string> outputs; ///< names of those whose answers count; empty: all
  std::string features = "none";    ///< or auto, or pairs of names
  std::string augment = "all";
  std::string precision = "float32"; ///< of what products are made of while gradients are computed
  std::string checkpoint;            ///< a folder for states of training; empty: none are kept
  double labels = 0;                 ///< share of the right answers in the loss; 1: no teacher
  bool alone = false;                ///< nothing was lost before: the network as it is is trained

  /// Declares rate, loss and augmentation under names that begin with `prefix`; they need `condition`, if it is not
  /// empty.
  void declare(Options &options, const std::string &prefix, std::string_view condition);
  Option &declare_budget(Options &options, const std::string &name, const char *help);
  [[nodiscard]] bool wanted() const { return !budget.empty(); }
  [[nodiscard]] bool bfloat16() const { return precision == "bfloat16"; }
  /// Error (unsupported): `isa` has no instructions for the precision.
  [[nodiscard]] Status check(Isa isa) const;
};

/// Whether what schemes left as floats is trained, and whether what they made codes of is: codes of fewer than 8 bits,
/// or all there is.
bool tunes_floats(const Settings &settings);
bool tunes_codes(const Settings &settings);

} // namespace edgec
