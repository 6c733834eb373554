// A student beside its teacher on a few samples at a time: losses and gradients. A batch is cut into shards, which run
// side by side; their gradients are added in order, so that any number of threads gives the same numbers.
#pragma once

#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "runtime/plan.h"
#include "train/augment.h"
#include "train/batches.h"
#include "train/features.h"
#include "train/objective.h"

namespace edgec {

struct ShardOptions {
  Loss loss = Loss::squared_error;
  double temperature = usual_temperature; ///< Loss::divergence
  double hard = 0;                        ///< make_objective()
  std::vector<std::size_t> outputs;       ///< of both networks, whose answers count; empty: all
  std::vector<FeaturePair> features;      ///< matched while training; what judges are answers alone
  Augmentation augmentation;
  bool bfloat16 = false; ///< gradients come of narrow_products(); what judges does not
  int threads = 1;
  Isa isa = Isa::scalar;
  /// Bytes of the gradients' values that all threads keep together; where they take more, some are computed again.
  std::size_t memory = std::numeric_limits<std::size_t>::max();
};

/// Of a mean over a batch; the gradient of all parameters in a row.
struct BatchGradient {
  double loss = 0;
  std::vector<float> values;
};

/// Of samples of one shape.
class Shards {
public:
  /// `parameters`: float32 constants of the student. The objects must outlive this one.
  Shards(const Graph &student, std::span<const ValueId> parameters, const Graph &teacher, const OpRegistry &ops,
         const SampleCache &samples, const ShardOptions &options);

  /// Finds out how many samples a shard takes: eight where the teacher answers them together as it answers each alone,
  /// else one; measures its answers on these samples. Errors: shapes that training cannot take (unsupported).
  Status prepare(std::span<const std::size_t> samples);
  /// The student's and the loss's plans; those of the projection (Loss) where gradients' squares are wanted.
  Status prepare_loss();
  Status prepare_projection();

  /// The mean square of each of the teacher's answers and features, which errors are counted in; others may be put in
  /// their place before the losses are made.
  [[nodiscard]] const std::vector<double> &powers() const { return powers_; }
  void set_powers(std::vector<double> powers) { powers_ = std::move(powers); }

  [[nodiscard]] std::size_t rows() const { return static_cast<std::size_t>(rows_); }
  [[nodiscard]] std::size_t bytes() const;                                ///< of all plans' values, on all threads
  [[nodiscard]] std::size_t features() const { return features_.size(); } ///< pairs that are matched

  /// The mean loss on samples as they are.
  [[nodiscard]] Result<double> loss(std::span<const Tensor> values, std::span<const std::size_t> samples) const;
  /// On samples varied at random; `batch` holds whole shards.
  [[nodiscard]] Result<BatchGradient> gradient(std::span<const Tensor> values, std::span<const Draw> batch) const;
  /// The mean over shards of the squared gradient of the projection on random signs, in a row.
  [[nodiscard]] Result<std::vector<float>> squares(std::span<const Tensor> values, std::span<const Draw> batch) const;

private:
  /// A plan, and buffers to run it for each worker.
  struct Runnable {
    std::shared_ptr<const Plan> plan;
    std::vector<std::unique_ptr<Session>> sessions;
  };
  using Feeds = std::vector<RuntimeValue>;
  struct Fed {
    Feeds inputs, right; ///< what a network reads; the right answers, where there are some
  };

  const Graph &student_, &teacher_;
  std::span<const ValueId> parameters_;
  const OpRegistry &ops_;
  const SampleCache &samples_;
  const ShardOptions &options_;
  std::int64_t rows_ = 1;
  Graph sized_;                   ///< the student for one shard
  std::vector<ValueId> features_; ///< the student's; the teacher's are fetched after its answers
  std::size_t answers_ = 0;       ///< the teacher's
  std::vector<double> powers_;
  Runnable teach_, loss_, gradient_, projection_;

  Status resize(std::span<const std::size_t> samples, std::int64_t rows);
  [[nodiscard]] bool answers_like(const Shards &single, std::span<const std::size_t> samples) const;
  Result<Runnable> compile(const Graph &graph, std::vector<ValueId> fetches) const;
  Result<Runnable> compile_gradients(Loss loss, bool gradients) const;
  Status measure_powers(std::span<const std::size_t> samples);
  /// Samples in shards, the last one filled up from the start.
  [[nodiscard]] std::vector<std::vector<std::size_t>> shards_of(std::span<const std::size_t> samples) const;
  [[nodiscard]] Result<Fed> feeds(std::span<const std::size_t> samples) const;
  [[nodiscard]] Result<Fed> varied_feeds(std::span<const Draw> shard) const;
  [[nodiscard]] Fed stacked_shard(std::span<const Sample> shard) const;
  /// The teacher's answers, its features where they are wanted, and the right answers, as far as they count.
  [[nodiscard]] Result<Feeds> targets(int worker, const Fed &fed, bool features) const;
  /// Chooses features_; gives the teacher's. Error (unsupported): those of a pair that was asked for differ in shape.
  Result<std::vector<ValueId>> pair_features(const Graph &teacher);
  [[nodiscard]] Status check_teacher(const Graph &teacher) const;
  [[nodiscard]] Feeds signs(std::uint64_t seed) const;
  static Result<std::vector<RuntimeValue>> run(const Runnable &run, int worker, Feeds feeds,
                                               std::span<const Tensor> values = {}, Feeds targets = {});
};

} // namespace edgec
