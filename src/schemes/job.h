// What a scheme works with: the samples, the settings, what results are judged by, and who is told.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/range_table.h"
#include "data/samples.h"
#include "measure/fidelity.h"
#include "measure/metric.h"
#include "passes/pass.h"
#include "schemes/fitting/scope.h"
#include "support/settings.h"

namespace edgec {

struct KeptCodes; // schemes/int8/uncoded.h

/// Called with what is being done, how far it is and out of how much.
using Progress = std::function<void(std::string_view what, std::size_t done, std::size_t all)>;

/// Samples that no network is fitted to, and what counts there.
struct Evaluation {
  const SampleSet *samples = nullptr;
  std::vector<std::size_t> indices;                  ///< the calls used
  const std::vector<std::int64_t> *labels = nullptr; ///< one for each row; null: there are none
  Metric metric;
};

struct Job : PassContext {
  Settings settings; ///< a struct of options for each scheme
  Scope scope;
  const SampleSet *calibration = nullptr; ///< prepared samples in calibration order
  std::vector<std::size_t> samples;       ///< which of them to use (folds of cross-fitting)
  std::vector<std::size_t> more_samples;  ///< beyond those that were asked for and those that judge: for training
  const std::vector<std::int64_t> *labels = nullptr; ///< of each row of `calibration`; null: there are none
  bool made_up = false;               ///< the samples are nobody's: what is fitted to them must not rely on them
  const RangeTable *ranges = nullptr; ///< of more samples than those: activations' ranges come from it
  const KeptCodes *kept = nullptr;    ///< codes that the network read had: its values get these; null: it had none
  const Graph *original = nullptr;    ///< before any scheme that changed weights, same ids; null: there was none
  const Graph *reference = nullptr;   ///< what networks are judged beside; null: nothing is judged
  std::shared_ptr<const ReferenceOutputs> reference_outputs = nullptr; ///< those of `reference` on `calibration`
  bool original_answers = false; ///< the network before any scheme (or `original`) computes what `reference` does
  const Evaluation *evaluation = nullptr; ///< what a budget of lost answers counts; null: agreement on held-out halves
  bool cross_fit = true;                  ///< judge what was fitted to samples on others
  bool judge_each = false;                ///< a search judges every network that it sees: a curve of sizes and losses
  bool border_nodes = false; ///< the file will spell quantized values with QuantizeLinear and DequantizeLinear
  /// Bytes of the file that holds this graph; null: they do not depend on the codes.
  std::function<Result<std::size_t>(const Graph &)> file_bytes;
  int threads = 1;
  Isa isa = Isa::scalar;
  std::uint64_t seed = 0;
  std::size_t memory = std::size_t{192} << 20; ///< bytes of samples' values kept at once; more go to a temporary file
  Progress progress;                           ///< what a long step is doing
  Progress stages;                             ///< the parts of a search

  template <class T>
  [[nodiscard]] const T &options() const {
    return settings.get<T>();
  }
  /// The same with other settings, for a trial that is not told of.
  template <class T>
  [[nodiscard]] Job with(T changed) const {
    Job other = *this;
    other.settings.edit<T>() = std::move(changed);
    return other;
  }
};

} // namespace edgec
