// How faithful a network is to another one, and how often it is right: measured by running both on samples.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/samples.h"
#include "ir/opdef.h"
#include "runtime/parts.h"
#include "runtime/plan.h"

namespace edgec {

/// Differences between a reference's numbers r and a test's t, summed in double.
struct Noise {
  double signal = 0;        ///< sum r^2
  double noise = 0;         ///< sum (r - t)^2
  double max_error = 0;     ///< max |r - t|; infinity where one of them is no finite number and the other differs
  double max_reference = 0; ///< max |r|
  std::uint64_t count = 0;  ///< elements

  void add(std::span<const double> reference, std::span<const double> test); ///< of equal size
  void add(const Noise &other);
  /// 10 log10(signal / noise) in dB; nothing: they are equal.
  [[nodiscard]] std::optional<double> sqnr_db() const;
};

struct OutputNoise {
  std::string name; ///< in the reference
  Noise noise;
};

/// How often the labelled class was the largest logit, or among the five largest (equal ones: the first come first).
struct Accuracy {
  std::size_t samples = 0, top1 = 0, top5 = 0;
  [[nodiscard]] double top1_share() const {
    return samples == 0 ? 0 : static_cast<double>(top1) / static_cast<double>(samples);
  }
  [[nodiscard]] double top5_share() const {
    return samples == 0 ? 0 : static_cast<double>(top5) / static_cast<double>(samples);
  }
};

struct Fidelity {
  std::size_t samples = 0;
  std::size_t agreeing = 0; ///< samples on which both have the same largest logit
  bool compared = false;    ///< a reference was there: agreeing, logits, outputs and median_sqnr_db are measured
  OutputNoise logits;       ///< see measure/logits.h
  std::vector<OutputNoise> outputs;     ///< tensors only
  std::optional<double> median_sqnr_db; ///< of the samples' logits; nothing: at least half of them are equal
  std::optional<Accuracy> reference_accuracy, test_accuracy;
  std::size_t foreign_labels = 0; ///< labels that are no class of the network: more than 0, and accuracy means nothing

  [[nodiscard]] double agreement() const {
    return samples == 0 ? 0 : static_cast<double>(agreeing) / static_cast<double>(samples);
  }
};

struct FidelityOptions {
  int threads = 1; ///< samples run side by side; the result does not depend on their number
  Isa isa = Isa::scalar;
  bool reference_kernels = false;
  const PartOptions *parts = nullptr;                ///< networks run in parts (run_in_parts), to save memory
  std::span<const std::size_t> indices = {};         ///< which calls of the set, in this order
  const std::vector<std::int64_t> *labels = nullptr; ///< one for each row of the set
  std::function<void()> step = nullptr;              ///< after each call, from any thread
};

/// Runs `test`, and `reference` unless it is null, on the samples chosen and compares their outputs by position. Both
/// must take the same inputs. Errors: samples that do not fit, an output that is no finite number (bad_input; the
/// sample and the output are named), operators that cannot be run (unsupported).
Result<Fidelity> measure_fidelity(const Graph *reference, const Graph &test, const OpRegistry &ops,
                                  const SampleSet &samples, const FidelityOptions &options);

/// The logits that a network gives on each of the calls `options.indices`.
Result<std::vector<Tensor>> run_logits(const Graph &graph, const OpRegistry &ops, const SampleSet &samples,
                                       const FidelityOptions &options);

/// Fidelity of logits that were kept: those of each call `indices` of `samples`; outputs are not compared. Error
/// (bad_input): the two have different sizes.
Result<Fidelity> compare_logits(const std::string &name, std::span<const Tensor> reference,
                                std::span<const Tensor> test, const SampleSet &samples,
                                std::span<const std::size_t> indices);

/// A tensor's reals: codes of a quantized type are turned into what they stand for.
std::vector<double> real_values(const Tensor &tensor, const Type &type);

} // namespace edgec
