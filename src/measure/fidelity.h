// How faithful a network is to another one, and how often it is right: measured by running both on samples.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/samples.h"
#include "ir/opdef.h"
#include "measure/metric.h"
#include "runtime/parts.h"
#include "runtime/plan.h"

namespace edgec {

/// Differences between a reference's numbers r and a test's t, summed in double.
struct Noise {
  double signal = 0;        ///< sum r^2
  double noise = 0;         ///< sum (r - t)^2
  double max_error = 0;     ///< max |r - t|; infinity where one of them is not a finite number and the other differs
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
  std::size_t answers = 0;  ///< largest elements along the axis of classes (class_axis()), or integers; 0: neither
  std::size_t agreeing = 0; ///< of them, those that both networks give alike
  bool numbers = true;      ///< not integers, whose differences mean nothing

  [[nodiscard]] double share() const {
    return answers == 0 ? 1 : static_cast<double>(agreeing) / static_cast<double>(answers);
  }
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

/// What a metric says of a network.
struct Score {
  std::string metric;
  double test = 0;
  std::optional<double> reference;  ///< of the one that it is compared with; nothing: there is none, or none is needed
  std::optional<double> upper_drop; ///< with 95 % confidence the test is worse by no more; nothing: not known
  std::size_t answers = 0;          ///< that this rests on
};

/// Samples that one of two networks only has right.
struct Changes {
  std::size_t lost = 0;   ///< the reference
  std::size_t gained = 0; ///< the test
};

/// A sample that two networks answer otherwise.
struct ChangedAnswer {
  std::size_t row = 0;           ///< of the set of samples
  std::size_t before = 0;        ///< class that the reference answers
  std::size_t after = 0;         ///< and the test
  double lead = 0, lead_now = 0; ///< of the answer over the other network's: in the reference's scores, in the test's
};

struct Fidelity {
  std::size_t samples = 0;
  std::size_t answers = 0;            ///< of the output with the least agreement (find_answers()); 0: none has classes
  std::size_t agreeing = 0;           ///< of them, those that both networks give alike
  std::vector<ChangedAnswer> changed; ///< where each sample has one answer of that output: those not alike
  bool compared = false;              ///< a reference was there: all that follows but the accuracies is measured
  OutputNoise logits; ///< of the output with the least SQNR, before its Softmax; those that are always 0 last
  std::vector<OutputNoise> outputs;     ///< tensors only, as they are given
  std::optional<double> median_sqnr_db; ///< of the samples, of the same logits; nothing: at least half are equal
  std::optional<Accuracy> reference_accuracy, test_accuracy;
  Changes top1_changes, top5_changes; ///< where there are both accuracies
  std::optional<Score> score;         ///< where a metric was asked for and could be told
  std::size_t foreign_labels = 0;     ///< that are not classes of the network: more than 0, and accuracy means nothing

  /// Share of the answers that stayed the same; nothing: no output has classes.
  [[nodiscard]] std::optional<double> agreement() const {
    return answers == 0 ? std::nullopt : std::optional(static_cast<double>(agreeing) / static_cast<double>(answers));
  }
  /// That of `logits`; infinity: they are equal.
  [[nodiscard]] double sqnr_db() const;
};

/// The outputs of a reference network that several networks are compared with on the same samples: what was computed
/// once is not computed again, as far as some memory for it reaches. For one network, set of samples and way of running
/// (isa, kernels, parts); thread-safe.
class ReferenceOutputs {
public:
  ReferenceOutputs();
  ~ReferenceOutputs();
  /// What a network that stands for the reference (stands_for()) gave for a call: its compared_values().
  void keep(std::size_t call, std::span<const Tensor> values) const;
  struct State;
  [[nodiscard]] State &state() const { return *state_; }

private:
  std::unique_ptr<State> state_;
};

struct FidelityOptions {
  int threads = 1; ///< samples run side by side; the result does not depend on their number
  Isa isa = Isa::scalar;
  bool reference_kernels = false;
  const OpRegistry *test_ops = nullptr;                ///< what runs the tests; null: what runs the reference
  const PartOptions *parts = nullptr;                  ///< networks run in parts (run_in_parts), to save memory
  std::span<const std::size_t> indices = {};           ///< which calls of the set, in this order
  const std::vector<std::int64_t> *labels = nullptr;   ///< one for each row of the set
  const Metric *metric = nullptr;                      ///< fills in Fidelity::score
  const ReferenceOutputs *reference_outputs = nullptr; ///< what is known of the reference's outputs; null: nothing
  std::function<void()> step = nullptr;                ///< after each call, from any thread
};

/// The values that a network is compared by: its outputs, then what its answers are read from where that is not an
/// output.
std::vector<ValueId> compared_values(const Graph &graph);

/// Whether the compared values of a network that was rewritten exactly are those of the reference, one by one.
bool stands_for(const Graph &rewritten, const Graph &reference);

/// Runs `test`, and `reference` unless it is null, on the samples chosen and compares their outputs by position. Both
/// must take the same inputs, those of half precision rounded (as_inputs()). Errors: samples that do not fit, an output
/// that is not a finite number (bad_input; the sample and the output are named), operators that cannot be run
/// (unsupported), those of the metric.
Result<Fidelity> measure_fidelity(const Graph *reference, const Graph &test, const OpRegistry &ops,
                                  const SampleSet &samples, const FidelityOptions &options);

/// The same of several networks that take turns: call number i of `options.indices` is run by number i modulo their
/// number.
Result<Fidelity> measure_fidelity(const Graph &reference, std::span<const Graph *const> tests, const OpRegistry &ops,
                                  const SampleSet &samples, const FidelityOptions &options);

/// A sample as a network's inputs take it: float32 is rounded where they are of half precision.
Sample as_inputs(const Graph &graph, Sample sample);

/// A tensor's reals: codes of a quantized type are turned into what they stand for; not where they are compared with
/// (`beside`) integers that nothing gives a scale.
std::vector<double> real_values(const Tensor &tensor, const Type &type, const Type *beside = nullptr);

} // namespace edgec
