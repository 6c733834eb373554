#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <memory>
#include <numeric>

#include <fmt/format.h>

#include "measure/logits.h"
#include "runtime/plan.h"
#include "support/cancel.h"
#include "support/parallel.h"
#include "train/optimizer.h"

namespace edgec {
namespace {

constexpr std::size_t held_out_every = 5, judgements = 10, least_steps = 10;

/// Samples in one run of a plan. Gradients of a batch's shards are added in order: any number of threads gives the
/// same.
constexpr std::int64_t shard_rows = 8;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

std::size_t bytes_of(const Sample &sample) {
  std::size_t bytes = 0;
  for (const Tensor &tensor : sample) bytes += tensor.data.size();
  return bytes;
}

/// Rows of several samples, one after the other.
Tensor stacked(std::span<const Sample> samples, std::size_t input) {
  const Tensor &first = samples[0][input];
  std::vector<std::byte> bytes;
  bytes.reserve(first.data.size() * samples.size());
  for (const Sample &sample : samples) {
    const Storage &data = sample[input].data;
    bytes.insert(bytes.end(), data.data(), data.data() + data.size());
  }
  Dims dims = first.dims;
  if (!dims.empty()) dims[0] *= static_cast<std::int64_t>(samples.size());
  return Tensor::of_bytes(first.dtype, std::move(dims), std::move(bytes));
}

/// Prepared samples, kept as far as memory allows.
class SampleCache {
public:
  SampleCache(const SampleSet &samples, std::size_t memory) : samples_(samples), left_(memory) {}

  Status fill(std::span<const std::size_t> indices, int threads) {
    kept_.resize(samples_.size());
    for (std::size_t first = 0; first < indices.size() && left_ > 0; first += 64) {
      const auto some = indices.subspan(first, std::min<std::size_t>(64, indices.size() - first));
      EDGEC_CHECK(parallel_for(some.size(), threads, [&](std::size_t i, int) -> Status {
        EDGEC_ASSIGN(kept_[some[i]], samples_.load(some[i]));
        return {};
      }));
      for (const std::size_t index : some) left_ -= std::min(left_, bytes_of(*kept_[index]));
    }
    return {};
  }

  [[nodiscard]] Result<Sample> load(std::size_t index) const {
    if (kept_[index]) return *kept_[index];
    return samples_.load(index);
  }

private:
  const SampleSet &samples_;
  std::size_t left_;
  std::vector<std::optional<Sample>> kept_;
};

/// Every sample once in a random order, then again.
class Deck {
public:
  Deck(std::span<const std::size_t> cards, std::uint64_t seed) : cards_(cards.begin(), cards.end()), random_(seed) {}
  std::size_t draw() {
    if (next_ == 0) {
      for (std::size_t i = cards_.size(); i > 1; --i) std::swap(cards_[i - 1], cards_[random_.below(i)]);
    }
    const std::size_t card = cards_[next_];
    next_ = (next_ + 1) % cards_.size();
    return card;
  }

private:
  std::vector<std::size_t> cards_;
  Random random_;
  std::size_t next_ = 0;
};

class Trainer {
public:
  Trainer(const Graph &student, std::span<const Parameter> parameters, const Graph &teacher, const OpRegistry &ops,
          const SampleSet &samples, const TrainOptions &options)
      : student_(student), teacher_(teacher), ops_(ops), options_(options), parameters_(parameters),
        cache_(samples, options.memory) {
    for (const Parameter &parameter : parameters_) {
      const Tensor &tensor = *student_.constant(parameter.value);
      const auto values = tensor.as<float>();
      for (const float value : values) free_.push_back(!parameter.keeps_zeros || value != 0);
      values_.insert(values_.end(), values.begin(), values.end());
    }
  }

  Result<Trained> run(std::span<const std::size_t> indices) {
    for (std::size_t i = 0; i < indices.size(); ++i)
      (i % held_out_every == held_out_every - 1 ? held_out_ : learnt_).push_back(indices[i]);
    if (held_out_.empty()) return usage_error("training needs at least 5 samples: a fifth of them judges");
    EDGEC_CHECK(cache_.fill(indices, options_.threads));
    EDGEC_CHECK(prepare());
    Trained trained{.samples = learnt_.size(), .held_out = held_out_.size()};
    EDGEC_ASSIGN(trained.before, judge());
    trained.after = trained.before;
    EDGEC_ASSIGN(trained.steps, choose_steps());
    EDGEC_CHECK(descend(trained));
    return trained;
  }

  /// The best values, parameter by parameter.
  [[nodiscard]] std::vector<Tensor> best() const { return tensors(best_); }

private:
  const Graph &student_, &teacher_;
  const OpRegistry &ops_;
  const TrainOptions &options_;
  std::span<const Parameter> parameters_;
  SampleCache cache_;
  std::vector<std::size_t> learnt_, held_out_;
  std::vector<float> values_, best_;
  std::vector<char> free_; // of values: not held at 0
  std::int64_t rows_ = shard_rows;
  std::vector<double> powers_; // of the teacher's answers
  std::shared_ptr<const Plan> gradient_plan_, loss_plan_, teacher_plan_;
  std::vector<std::unique_ptr<Session>> gradient_sessions_, loss_sessions_, teacher_sessions_; // by worker

  [[nodiscard]] std::size_t workers() const { return static_cast<std::size_t>(std::max(options_.threads, 1)); }
  [[nodiscard]] std::size_t shards() const {
    return std::max<std::size_t>(1, options_.batch / static_cast<std::size_t>(rows_));
  }

  Result<std::shared_ptr<const Plan>> compile(const Graph &graph, std::vector<ValueId> fetches) const {
    std::vector<Type> types;
    for (const ValueId id : graph.inputs()) types.push_back(graph.value(id).type);
    PlanOptions plan;
    plan.isa = options_.isa;
    plan.fetches = std::move(fetches);
    return Plan::compile(graph, ops_, types, plan);
  }

  Status prepare() {
    EDGEC_ASSIGN(const Sample first, cache_.load(learnt_[0]));
    std::vector<Type> types;
    for (const Tensor &tensor : first) types.push_back(Type::of(tensor));
    auto student = with_batch(student_, ops_, types, rows_), teacher = with_batch(teacher_, ops_, types, rows_);
    if (!student || !teacher) {
      rows_ = 1;
      student = with_batch(student_, ops_, types, rows_), teacher = with_batch(teacher_, ops_, types, rows_);
    }
    if (!student) return std::move(student).error();
    if (!teacher) return std::move(teacher).error();
    EDGEC_ASSIGN(teacher_plan_, compile(*teacher, float_answers(*teacher)));
    make_sessions(teacher_plan_, teacher_sessions_);
    EDGEC_CHECK(measure_powers());
    std::vector<ValueId> constants;
    for (const Parameter &parameter : parameters_) constants.push_back(parameter.value);
    EDGEC_ASSIGN(const Objective objective, make_objective(*student, ops_, constants, options_.loss, powers_));
    std::vector<ValueId> fetches{objective.loss};
    EDGEC_ASSIGN(loss_plan_, compile(objective.graph, fetches));
    fetches.insert(fetches.end(), objective.gradients.begin(), objective.gradients.end());
    EDGEC_ASSIGN(gradient_plan_, compile(objective.graph, fetches));
    make_sessions(gradient_plan_, gradient_sessions_);
    make_sessions(loss_plan_, loss_sessions_);
    return {};
  }

  static std::vector<ValueId> float_answers(const Graph &graph) {
    std::vector<ValueId> found;
    for (const ValueId id : answers_of(graph))
      if (graph.value(id).type.is_tensor() && graph.value(id).type.dtype == DType::float32) found.push_back(id);
    return found;
  }

  void make_sessions(const std::shared_ptr<const Plan> &plan, std::vector<std::unique_ptr<Session>> &sessions) const {
    for (std::size_t i = 0; i < workers(); ++i) sessions.push_back(std::make_unique<Session>(plan));
  }

  Result<std::vector<Sample>> load(std::span<const std::size_t> indices) const {
    std::vector<Sample> found;
    for (const std::size_t index : indices) {
      EDGEC_ASSIGN(Sample sample, cache_.load(index));
      found.push_back(std::move(sample));
    }
    return found;
  }

  static std::vector<RuntimeValue> feeds_of(std::span<const Sample> shard) {
    std::vector<RuntimeValue> feeds;
    for (std::size_t i = 0; i < shard[0].size(); ++i) feeds.emplace_back(stacked(shard, i));
    return feeds;
  }

  Result<std::vector<RuntimeValue>> teach(std::span<const RuntimeValue> feeds, int worker) const {
    return teacher_sessions_[static_cast<std::size_t>(worker)]->run(feeds);
  }

  /// Held-out samples in shards, the last one filled up from the start.
  [[nodiscard]] std::vector<std::vector<std::size_t>> held_out_shards() const {
    std::vector<std::vector<std::size_t>> found;
    const auto rows = static_cast<std::size_t>(rows_);
    for (std::size_t first = 0; first < held_out_.size(); first += rows) {
      auto &shard = found.emplace_back();
      for (std::size_t i = 0; i < rows; ++i) shard.push_back(held_out_[(first + i) % held_out_.size()]);
    }
    return found;
  }

  Status measure_powers() {
    const auto shards = held_out_shards();
    std::vector<std::vector<double>> sums(shards.size());
    EDGEC_CHECK(parallel_for(shards.size(), options_.threads, [&](std::size_t i, int worker) -> Status {
      EDGEC_ASSIGN(const auto samples, load(shards[i]));
      EDGEC_ASSIGN(const auto answers, teach(feeds_of(samples), worker));
      for (const RuntimeValue &answer : answers) {
        double sum = 0;
        for (const float x : answer.tensor->as<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
        sums[i].push_back(sum / static_cast<double>(std::max<std::int64_t>(answer.tensor->size(), 1)));
      }
      return {};
    }));
    powers_.assign(sums[0].size(), 0);
    for (const auto &of_shard : sums)
      for (std::size_t k = 0; k < powers_.size(); ++k) powers_[k] += of_shard[k] / static_cast<double>(sums.size());
    return {};
  }

  [[nodiscard]] std::vector<Tensor> tensors(const std::vector<float> &values) const {
    std::vector<Tensor> found;
    auto from = values.begin();
    for (const Parameter &parameter : parameters_) {
      const Tensor &like = *student_.constant(parameter.value);
      found.push_back(Tensor::of(like.dims, std::vector<float>(from, from + like.size())));
      from += like.size();
    }
    return found;
  }

  /// The loss, and the gradients where the session's plan gives them.
  Result<std::vector<RuntimeValue>> run_shard(std::span<const Sample> shard, std::span<const Tensor> values,
                                              Session &session, int worker) const {
    std::vector<RuntimeValue> feeds = feeds_of(shard);
    EDGEC_ASSIGN(auto targets, teach(feeds, worker));
    for (const Tensor &tensor : values) feeds.emplace_back(tensor);
    for (RuntimeValue &target : targets) feeds.push_back(std::move(target));
    return session.run(feeds);
  }

  /// The loss on the held-out samples.
  [[nodiscard]] Result<double> judge() const {
    const auto shards = held_out_shards();
    const auto values = tensors(values_);
    std::vector<double> losses(shards.size());
    EDGEC_CHECK(parallel_for(shards.size(), options_.threads, [&](std::size_t i, int worker) -> Status {
      EDGEC_ASSIGN(const auto samples, load(shards[i]));
      EDGEC_ASSIGN(const auto results,
                   run_shard(samples, values, *loss_sessions_[static_cast<std::size_t>(worker)], worker));
      losses[i] = static_cast<double>(results[0].tensor->as<float>()[0]);
      return {};
    }));
    return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
  }

  struct Gradient {
    double loss = 0;
    std::vector<float> values;
  };

  /// Of the mean loss over a batch: pairs of samples, varied by a random number each.
  struct Item {
    std::size_t sample, other;
    std::uint64_t seed;
  };

  Result<Gradient> gradient(std::span<const Item> batch) const {
    const auto values = tensors(values_);
    const auto rows = static_cast<std::size_t>(rows_);
    std::vector<std::vector<RuntimeValue>> results(batch.size() / rows);
    EDGEC_CHECK(parallel_for(results.size(), options_.threads, [&](std::size_t i, int worker) -> Status {
      std::vector<Sample> shard;
      for (const Item &item : batch.subspan(i * rows, rows)) {
        EDGEC_ASSIGN(const Sample sample, cache_.load(item.sample));
        EDGEC_ASSIGN(const Sample other, cache_.load(item.other));
        Random random(item.seed);
        shard.push_back(augmented(sample, other, options_.augmentation, random));
      }
      EDGEC_ASSIGN(results[i], run_shard(shard, values, *gradient_sessions_[static_cast<std::size_t>(worker)], worker));
      return {};
    }));
    Gradient sum{.values = std::vector<float>(values_.size())};
    const auto share = 1 / static_cast<float>(results.size());
    for (const auto &result : results) {
      sum.loss += static_cast<double>(share * result[0].tensor->as<float>()[0]);
      auto to = sum.values.begin();
      for (std::size_t k = 1; k < result.size(); ++k)
        for (const float x : result[k].tensor->as<float>()) *to++ += share * x;
    }
    for (std::size_t i = 0; i < free_.size(); ++i)
      if (free_[i] == 0) sum.values[i] = 0;
    return sum;
  }

  std::vector<Item> deal(Deck &deck, Random &random) const {
    std::vector<Item> batch(shards() * static_cast<std::size_t>(rows_));
    for (Item &item : batch) item.sample = deck.draw();
    for (Item &item : batch) item.other = batch[random.below(batch.size())].sample, item.seed = random.bits();
    return batch;
  }

  /// As asked for, or as many as the time allows, by what a few take.
  Result<std::size_t> choose_steps() const {
    if (options_.steps > 0) return options_.steps;
    Deck deck(learnt_, options_.seed);
    Random random(options_.seed + 1);
    constexpr int tries = 3;
    EDGEC_ASSIGN(const Gradient first, gradient(deal(deck, random))); // memory is touched for the first time
    const double start = cpu_seconds();
    for (int i = 0; i < tries; ++i) EDGEC_CHECK(gradient(deal(deck, random)));
    const double each = std::max((cpu_seconds() - start) / tries, 1e-4);
    return std::max(least_steps, static_cast<std::size_t>(options_.cpu_seconds / each));
  }

  Status descend(Trained &trained) {
    best_ = values_;
    Adam adam(values_.size());
    Deck deck(learnt_, options_.seed);
    Random random(options_.seed + 1);
    const std::size_t pause = std::max<std::size_t>(1, trained.steps / judgements);
    for (std::size_t step = 0; step < trained.steps; ++step) {
      if (options_.progress) options_.progress(step, trained.steps);
      if (interrupted()) {
        take_interrupt();
        trained.steps = step;
        break;
      }
      EDGEC_ASSIGN(const Gradient found, gradient(deal(deck, random)));
      if (!std::isfinite(found.loss)) break; // what was best so far stands
      adam.step(values_, found.values, scheduled_rate(options_.rate, step, trained.steps));
      if ((step + 1) % pause == 0 || step + 1 == trained.steps) EDGEC_CHECK(keep_best(trained));
    }
    return {};
  }

  Status keep_best(Trained &trained) {
    EDGEC_ASSIGN(const double loss, judge());
    if (!(loss < trained.after)) return {};
    trained.after = loss;
    best_ = values_;
    return {};
  }
};

} // namespace

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

} // namespace edgec
