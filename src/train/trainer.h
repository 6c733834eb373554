// Trains a network towards another one's answers on samples without labels (Hinton, Vinyals and Dean 2015).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "data/samples.h"
#include "train/augment.h"
#include "train/features.h"
#include "train/objective.h"
#include "train/optimizer.h"

namespace edgec {

struct TrainOptions {
  std::size_t steps = 0;  ///< of gradient descent; 0: as many as cpu_seconds allow
  double cpu_seconds = 0; ///< of this process, those of all threads
  std::size_t batch = 32; ///< samples a step
  double rate = 0;        ///< the largest that the schedule comes to; 0: by how much was lost
  Descent descent = Descent::adam;
  Loss loss = Loss::squared_error;
  double temperature = usual_temperature; ///< Loss::divergence
  double hard = 0; ///< share of the cross-entropy with `labels` in the loss; 1: the teacher is not asked
  std::span<const std::int64_t> labels; ///< a class for each row of the samples
  std::span<const std::size_t> more;    ///< samples beside those given that none of is held out of
  double zeros = 0;                  ///< share of zeros that the parameters with zeros come to while they are trained
  std::vector<std::size_t> outputs;  ///< ShardOptions
  std::vector<FeaturePair> features; ///< ShardOptions
  Augmentation augmentation;
  bool bfloat16 = false; ///< products of the gradients' plan are made of bfloat16
  std::uint64_t seed = 0;
  int threads = 1;
  Isa isa = Isa::scalar;
  /// Bytes of what gradients are computed from (half at most: beyond it values are computed again) and of prepared
  /// samples that are kept.
  std::size_t memory = std::size_t{192} << 20;
  /// A file that the state is kept in, and that training goes on from; empty: none. Deterministic: what was stopped and
  /// went on gives the numbers of what was not.
  std::string checkpoint;
  std::function<void(std::size_t done, std::size_t all)> progress;
};

/// A constant that is trained.
struct Parameter {
  ValueId value;
  bool keeps_zeros = false; ///< what is 0 stays so
  /// Scales of codes: where others move by the rate, they move by ten times that share of themselves (1 % at 1e-3), and
  /// stay above 0.
  bool is_scale = false;
};

/// What each parameter's numbers mean to the answers: the mean square of the gradient of the answers' sum under random
/// signs, on at most `options.steps` batches. Errors: as train().
Result<std::vector<Tensor>> gradient_squares(const Graph &network, std::span<const Parameter> parameters,
                                             const OpRegistry &ops, const SampleSet &samples,
                                             std::span<const std::size_t> indices, const TrainOptions &options);

struct Trained {
  std::size_t steps = 0, samples = 0, held_out = 0; ///< steps made; samples trained on; samples judged on
  std::size_t features = 0;                         ///< pairs that were matched
  double rate = 0;                                  ///< the largest of the schedule
  double before = 0, after = 0;                     ///< the loss on held-out samples: of the network given, of the best
  bool interrupted = false;                         ///< stopped on the way
  bool pruned = false;                              ///< there are more zeros than before: `after` is theirs
  [[nodiscard]] bool improved() const { return pruned || after < before; }
};

struct Split {
  std::vector<std::size_t> learnt, held_out;
};

/// A fifth of the samples, at random, judges what is learned on the others.
Split split_samples(std::span<const std::size_t> indices, std::uint64_t seed);

/// Trains `parameters` of `student`: its constants become those that did best on a fifth of the samples, which is not
/// trained on; they stay where none did better. With options.zeros, weights of little importance (their square times
/// gradient_squares()) become 0 on the way, along a cubic curve (Zhu and Gupta 2018) over two fifths of the steps; of
/// each parameter a twentieth stays. The numbers depend on the steps and the seed, not on threads. Errors:
/// an operator without a gradient (unsupported), samples that do not fit, a checkpoint of another training (usage).
Result<Trained> train(Graph &student, std::span<const Parameter> parameters, const Graph &teacher,
                      const OpRegistry &ops, const SampleSet &samples, std::span<const std::size_t> indices,
                      const TrainOptions &options);

} // namespace edgec
