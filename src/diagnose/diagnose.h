// Why a quantized network answers otherwise than its float one: error by tensor, causes, cures.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "diagnose/cause.h"
#include "measure/fidelity.h"

namespace edgec {

/// A tensor that the file rounds, and what of the answers' error is its own.
struct TensorFinding {
  std::string node, op, tensor;
  std::string role;      ///< "weight", "bias", "value"
  std::string dtype;     ///< that it is stored as
  double alone_db = 0;   ///< SQNR of the answers where nothing else is rounded; infinity: equal
  double without_db = 0; ///< where all but this is rounded; only of the worst, else as all
  Cause cause;
};

/// Tensors that suffer from one thing.
struct CauseFinding {
  CauseKind kind = CauseKind::coarse;
  std::vector<std::size_t> tensors;    ///< worst first
  double alone_db = 0, without_db = 0; ///< as of a tensor, of all of them together
  bool matters = false;                ///< a tenth of all error at least; too few bits only where nothing is broken
};

struct Diagnosis {
  Fidelity fidelity;                  ///< of the file as it is read
  double rounded_db = 0;              ///< of the trial network with everything rounded: it should be the file's
  double real_db = 0;                 ///< with nothing rounded: what else differs from the float network
  std::vector<TensorFinding> tensors; ///< that can be real, worst first
  std::vector<CauseFinding> causes;   ///< those that matter first, then worst first
  std::size_t untried = 0;            ///< tensors of which the float network has no counterpart
  std::vector<std::string> notes;

  /// Flags of `edgec compress` for what matters: "--int8", "--exclude", "a|b".
  [[nodiscard]] std::vector<std::string> cure() const;
};

struct DiagnoseOptions {
  FidelityOptions running;
  std::size_t most_removed = 8; ///< tensors that are taken away one at a time
  std::function<void(std::size_t done, std::size_t all)> progress;
};

/// Runs the networks on the samples of options.running.indices, two runs for each tensor that is rounded. Errors:
/// nothing in `test` is rounded (bad_input), samples or networks that cannot be run.
Result<Diagnosis> diagnose(const Model &reference, const Model &test, const OpRegistry &ops, const SampleSet &samples,
                           const DiagnoseOptions &options);

/// For people: the first `most` tensors (0: all), causes and cures. For machines: diagnosis.schema.json.
std::string diagnosis_text(const Diagnosis &diagnosis, std::size_t most, std::size_t width);
std::string diagnosis_json(const Diagnosis &diagnosis);

} // namespace edgec
