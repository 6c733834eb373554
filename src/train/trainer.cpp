#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>

#include <fmt/format.h>

#include "support/cancel.h"
#include "support/file.h"
#include "support/log.h"
#include "train/buckets.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"
#include "train/sparsity.h"

namespace edgec {
namespace {

constexpr std::size_t held_out_every = 5, judgements = 10, least_steps = 10, prunings = 40;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::vector<ValueId> values_of(std::span<const Parameter> parameters) {
  std::vector<ValueId> found;
  for (const Parameter &parameter : parameters) found.push_back(parameter.value);
  return found;
}

/// Parameters in a row, and which of their numbers are free.
class Row {
public:
  Row(const Graph &graph, std::span<const Parameter> parameters) {
    for (const Parameter &parameter : parameters) {
      const Tensor &tensor = *graph.constant(parameter.value);
      const auto numbers = tensor.as<float>();
      const std::size_t first = values.size();
      dims_.push_back(tensor.dims);
      values.insert(values.end(), numbers.begin(), numbers.end());
      for (const float number : numbers) {
        free.push_back(!parameter.keeps_zeros || number != 0);
        pace.push_back(parameter.is_scale ? 10 * number : 1);
        least_.push_back(parameter.is_scale ? number / 100 : std::numeric_limits<float>::lowest());
      }
      const auto zeros = static_cast<std::size_t>(std::ranges::count(numbers, 0.0F));
      if (!parameter.keeps_zeros || zeros == 0) continue;
      pruned.push_back({first, numbers.size()});
      zeros_ += zeros;
      prunable_ += numbers.size();
    }
  }

  std::vector<float> values;
  std::vector<char> free;      ///< not held at 0
  std::vector<float> pace;     ///< what the rate is multiplied by
  std::vector<Segment> pruned; ///< parameters that have zeros

  [[nodiscard]] double zeros() const {
    return static_cast<double>(zeros_) / static_cast<double>(std::max<std::size_t>(prunable_, 1));
  }
  /// Parameters that are weights: matrices, filters.
  [[nodiscard]] std::size_t layers() const {
    return static_cast<std::size_t>(std::ranges::count_if(dims_, [](const Dims &dims) { return dims.size() > 1; }));
  }
  /// The optimizer's moments of what became zero live on.
  void hold() {
    for (std::size_t i = 0; i < free.size(); ++i) values[i] = free[i] == 0 ? 0 : std::max(values[i], least_[i]);
  }
  [[nodiscard]] std::vector<Tensor> tensors(std::span<const float> numbers) const {
    std::vector<Tensor> found;
    auto from = numbers.begin();
    for (const Dims &dims : dims_) {
      const std::int64_t count = element_count(dims).value_or(0);
      found.push_back(Tensor::of(dims, std::vector<float>(from, from + count)));
      from += count;
    }
    return found;
  }

private:
  std::vector<Dims> dims_;
  std::vector<float> least_;
  std::size_t zeros_ = 0, prunable_ = 0;
};

/// What little was lost is lost again at a high rate; much takes one (measured from 3 to 16 dB below the answers). SGD,
/// whose steps shrink with the gradients, takes ten times as much, a deep network half.
double rate_for(const TrainOptions &options, double before, std::size_t layers) {
  constexpr double little = 0.06, much = 0.2; // 12 and 7 dB
  constexpr std::size_t deep = 50;
  const double unit = (options.descent == Descent::sgd ? 10 : 1) * (layers > deep ? 0.5 : 1);
  if (options.hard > 0) return unit * 5e-4;
  if (options.loss != Loss::squared_error) return unit * 1e-3;
  return unit * (before <= little ? 3e-4 : before <= much ? 1e-3 : 2e-3);
}

/// What has no classes is refused when the loss is made.
RightAnswers right_answers(const Graph &student, const TrainOptions &options) {
  const auto classes = classes_of(student);
  if (options.hard <= 0 || !classes) return {};
  return {options.labels, *classes};
}

class Trainer {
public:
  Trainer(const Graph &student, std::span<const Parameter> parameters, const Graph &teacher, const OpRegistry &ops,
          const SampleSet &samples, const TrainOptions &options)
      : options_(options), cache_(samples, right_answers(student, options)), row_(student, parameters),
        ids_(values_of(parameters)), shard_options_{.loss = options.loss,
                                                    .temperature = options.temperature,
                                                    .hard = options.hard,
                                                    .outputs = options.outputs,
                                                    .features = options.features,
                                                    .augmentation = options.augmentation,
                                                    .bfloat16 = options.bfloat16,
                                                    .threads = options.threads,
                                                    .isa = options.isa,
                                                    .memory = options.memory / 2},
        buckets_(student, ids_, teacher, ops, cache_, shard_options_) {}

  Result<Trained> run(std::span<const std::size_t> indices) {
    auto [learnt, held_out] = split_samples(indices, options_.seed);
    learnt_ = std::move(learnt), held_out_ = std::move(held_out);
    learnt_.insert(learnt_.end(), options_.more.begin(), options_.more.end());
    if (held_out_.empty()) return usage_error("training needs at least 5 samples: a fifth of them judges");
    EDGEC_CHECK(buckets_.prepare(learnt_, held_out_));
    EDGEC_CHECK(buckets_.prepare_loss());
    if (prunes()) EDGEC_CHECK(buckets_.prepare_projection());
    EDGEC_CHECK(keep_samples(indices));
    Trained trained{.samples = learnt_.size(), .held_out = held_out_.size(), .features = buckets_.features()};
    EDGEC_ASSIGN(trained.before, judge());
    trained.after = trained.before;
    trained.rate = options_.rate > 0 ? options_.rate : rate_for(options_, trained.before, row_.layers());
    EDGEC_ASSIGN(const auto saved, saved_state(indices));
    trained.steps = saved ? saved->steps : 0;
    if (!saved) {
      EDGEC_ASSIGN(trained.steps, choose_steps());
    }
    EDGEC_CHECK(descend(trained, saved));
    return trained;
  }

  Result<std::vector<Tensor>> squares(std::span<const std::size_t> indices) {
    learnt_.assign(indices.begin(), indices.end());
    EDGEC_CHECK(buckets_.prepare(learnt_, {}));
    EDGEC_CHECK(buckets_.prepare_projection());
    EDGEC_CHECK(keep_samples(indices));
    Dealer dealer = buckets_.dealer(options_.batch, options_.seed);
    std::vector<float> sum(row_.values.size());
    const auto values = row_.tensors(row_.values);
    for (std::size_t step = 0; step < options_.steps; ++step) {
      EDGEC_CHECK(check_interrupted());
      if (options_.progress) options_.progress(step, options_.steps);
      EDGEC_ASSIGN(const auto found, buckets_.squares(values, dealer.deal()));
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += found[i] / static_cast<float>(options_.steps);
    }
    return row_.tensors(sum);
  }

  /// The best values, parameter by parameter.
  [[nodiscard]] std::vector<Tensor> best() const { return row_.tensors(best_); }

private:
  const TrainOptions &options_;
  SampleCache cache_;
  Row row_;
  std::vector<ValueId> ids_;
  ShardOptions shard_options_;
  Buckets buckets_;
  std::vector<std::size_t> learnt_, held_out_;
  std::vector<float> best_, squares_; // squares_: a running mean
  std::string fingerprint_;

  Status keep_samples(std::span<const std::size_t> indices) {
    return cache_.fill(indices, options_.memory - std::min(options_.memory, buckets_.bytes()), options_.threads);
  }

  [[nodiscard]] bool prunes() const { return options_.zeros > row_.zeros(); }
  [[nodiscard]] Result<double> judge() const { return buckets_.loss(row_.tensors(row_.values)); }

  /// As asked for, or as many as the time allows, by what a few take.
  Result<std::size_t> choose_steps() const {
    if (options_.steps > 0) return options_.steps;
    Dealer dealer = buckets_.dealer(options_.batch, options_.seed);
    const auto values = row_.tensors(row_.values);
    constexpr int tries = 3;
    EDGEC_CHECK(buckets_.gradient(values, dealer.deal())); // memory is touched for the first time
    const double start = cpu_seconds();
    for (int i = 0; i < tries; ++i) EDGEC_CHECK(buckets_.gradient(values, dealer.deal()));
    const double each = std::max((cpu_seconds() - start) / tries, 1e-4);
    return std::max(least_steps, static_cast<std::size_t>(options_.cpu_seconds / each));
  }

  /// Of the same training, if it was begun before.
  Result<std::optional<TrainingState>> saved_state(std::span<const std::size_t> indices) {
    if (options_.checkpoint.empty()) return std::optional<TrainingState>();
    const Augmentation &how = options_.augmentation;
    std::string text =
        fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", static_cast<int>(options_.descent), options_.steps,
                    options_.cpu_seconds, options_.batch, options_.rate, static_cast<int>(options_.loss), options_.hard,
                    options_.zeros, options_.seed, how.mixup, how.flips, how.shifts, options_.bfloat16,
                    static_cast<int>(options_.isa), fmt::join(indices, ","));
    if (options_.temperature != usual_temperature) text += fmt::format(" T {}", options_.temperature);
    if (!options_.outputs.empty()) text += fmt::format(" of {}", fmt::join(options_.outputs, ","));
    if (!options_.more.empty()) text += fmt::format(" + {}", fmt::join(options_.more, ","));
    for (const FeaturePair &pair : options_.features)
      text += fmt::format(" {}={}", pair.student.index, pair.teacher.index);
    EDGEC_ASSIGN(const Sample first, cache_.load(indices[0]));
    for (const Tensor &tensor : first) text += sha256(tensor.data);
    text += sha256(std::as_bytes(std::span(row_.values)));
    fingerprint_ = sha256(std::as_bytes(std::span(text)));
    return read_checkpoint(options_.checkpoint, fingerprint_, row_.values.size());
  }

  [[nodiscard]] Status save(const Trained &trained, std::size_t step, const Dealer &dealer,
                            const GradientMoments &moments) const {
    if (options_.checkpoint.empty()) return {};
    return write_checkpoint(options_.checkpoint, {.fingerprint = fingerprint_,
                                                  .step = step,
                                                  .steps = trained.steps,
                                                  .dealt = dealer.dealt(),
                                                  .rate = trained.rate,
                                                  .before = trained.before,
                                                  .after = trained.after,
                                                  .mean_left = moments.mean_left,
                                                  .square_left = moments.square_left,
                                                  .pruned = trained.pruned,
                                                  .judged_pruned = judged_pruned_,
                                                  .values = row_.values,
                                                  .best = best_,
                                                  .mean = moments.mean,
                                                  .square = moments.square,
                                                  .squares = squares_,
                                                  .free = row_.free});
  }

  /// Puts a state in place; gives the optimizer's moments.
  GradientMoments restore(const TrainingState &state, Trained &trained, Dealer &dealer) {
    row_.values = state.values, row_.free = state.free;
    best_ = state.best, squares_ = state.squares, judged_pruned_ = state.judged_pruned;
    trained.after = state.after, trained.pruned = state.pruned, trained.rate = state.rate;
    while (dealer.dealt() < state.dealt) dealer.deal();
    GradientMoments moments;
    moments.mean = state.mean, moments.square = state.square;
    moments.mean_left = state.mean_left, moments.square_left = state.square_left;
    return moments;
  }

  Status descend(Trained &trained, const std::optional<TrainingState> &saved) {
    best_ = row_.values;
    Dealer dealer = buckets_.dealer(options_.batch, options_.seed);
    Optimizer optimizer(options_.descent,
                        saved ? restore(*saved, trained, dealer) : GradientMoments(row_.values.size()), row_.pace);
    const std::size_t pause = std::max<std::size_t>(1, trained.steps / judgements);
    for (std::size_t step = saved ? saved->step : 0; step < trained.steps; ++step) {
      if (options_.progress) options_.progress(step, trained.steps);
      if (interrupted()) {
        take_interrupt();
        EDGEC_CHECK(save(trained, step, dealer, optimizer.moments()));
        trained.steps = step;
        trained.interrupted = true;
        break;
      }
      EDGEC_CHECK(prune(dealer, step, trained));
      EDGEC_ASSIGN(BatchGradient found, buckets_.gradient(row_.tensors(row_.values), dealer.deal()));
      if (!std::isfinite(found.loss)) break; // what was best so far stands
      for (std::size_t i = 0; i < found.values.size(); ++i)
        if (row_.free[i] == 0) found.values[i] = 0;
      optimizer.step(row_.values, found.values, scheduled_rate(trained.rate, step, trained.steps));
      row_.hold();
      if ((step + 1) % pause != 0 && step + 1 != trained.steps) continue;
      EDGEC_CHECK(keep_best(trained, step));
      EDGEC_CHECK(save(trained, step + 1, dealer, optimizer.moments()));
    }
    return {};
  }

  /// Some more weights become 0, where it is time.
  Status prune(Dealer &dealer, std::size_t step, Trained &trained) {
    const std::size_t pause = std::max<std::size_t>(1, trained.steps / prunings);
    if (!prunes() || step % pause != 0) return {};
    const double zeros = scheduled_zeros(row_.zeros(), options_.zeros, step + pause - 1, trained.steps);
    const double until = scheduled_zeros(row_.zeros(), options_.zeros, step, trained.steps);
    if (trained.pruned && until >= options_.zeros) return {};
    EDGEC_ASSIGN(const auto found, buckets_.squares(row_.tensors(row_.values), dealer.deal()));
    constexpr float keeps = 0.7F;
    if (squares_.empty()) squares_ = found;
    for (std::size_t i = 0; i < found.size(); ++i) squares_[i] = keeps * squares_[i] + (1 - keeps) * found[i];
    if (zeros <= row_.zeros()) return {};
    std::vector<float> worth(squares_.size());
    for (std::size_t i = 0; i < worth.size(); ++i) worth[i] = row_.values[i] * row_.values[i] * squares_[i];
    clear_least(row_.free, worth, row_.pruned, zeros);
    row_.hold();
    trained.pruned = true;
    return {};
  }

  Status keep_best(Trained &trained, std::size_t step) {
    const bool done = !prunes() || scheduled_zeros(row_.zeros(), options_.zeros, step, trained.steps) >= options_.zeros;
    if (!done) return {};
    EDGEC_ASSIGN(const double loss, judge());
    log_info(fmt::format("training: after {} of {} steps a loss of {:.4g} on held-out samples, {:.4g} at the start",
                         step + 1, trained.steps, loss, trained.before));
    const bool first = trained.pruned && !judged_pruned_;
    judged_pruned_ = judged_pruned_ || trained.pruned;
    if (!first && !(loss < trained.after)) return {};
    trained.after = loss;
    best_ = row_.values;
    return {};
  }
  bool judged_pruned_ = false; // with all zeros that were asked for
};

} // namespace

/// At random: samples that come class by class, or in turns of classes, would leave some to one side alone.
Split split_samples(std::span<const std::size_t> indices, std::uint64_t seed) {
  std::vector<std::size_t> order(indices.begin(), indices.end());
  Random random(seed + 2);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  const auto first = order.begin() + static_cast<std::ptrdiff_t>(order.size() / held_out_every);
  return {.learnt = {first, order.end()}, .held_out = {order.begin(), first}};
}

Result<Trained> train(Graph &student, std::span<const Parameter> parameters, const Graph &teacher,
                      const OpRegistry &ops, const SampleSet &samples, std::span<const std::size_t> indices,
                      const TrainOptions &options) {
  Trainer trainer(student, parameters, teacher, ops, samples, options);
  EDGEC_ASSIGN(const Trained trained, trainer.run(indices));
  if (!trained.improved()) return trained;
  const auto best = trainer.best();
  for (std::size_t i = 0; i < parameters.size(); ++i) student.set_data(parameters[i].value, best[i]);
  return trained;
}

Result<std::vector<Tensor>> gradient_squares(const Graph &network, std::span<const Parameter> parameters,
                                             const OpRegistry &ops, const SampleSet &samples,
                                             std::span<const std::size_t> indices, const TrainOptions &options) {
  return Trainer(network, parameters, network, ops, samples, options).squares(indices);
}

} // namespace edgec
