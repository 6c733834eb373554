#include "train/shards.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "support/log.h"
#include "support/parallel.h"
#include "train/narrow_products.h"
#include "train/recompute.h"

namespace edgec {
namespace {

std::vector<ValueId> float_answers(const Graph &graph, std::span<const std::size_t> outputs) {
  std::vector<ValueId> found;
  for (const ValueId id : answers_of(graph, outputs))
    if (graph.value(id).type.is_tensor() && graph.value(id).type.dtype == DType::float32) found.push_back(id);
  return found;
}

double mean_square(const Tensor &tensor) {
  double sum = 0;
  for (const float x : tensor.as<float>()) sum += static_cast<double>(x) * static_cast<double>(x);
  return sum / static_cast<double>(std::max<std::int64_t>(tensor.size(), 1));
}

/// Whether `part` is a row of `whole`, up to the rounding of other sums.
bool is_row(const Tensor &whole, const Tensor &part, std::size_t row) {
  constexpr float allowed = 1e-4F;
  const auto expected = part.as<float>(), all = whole.as<float>();
  if (all.size() < (row + 1) * expected.size()) return false;
  const auto found = all.subspan(row * expected.size(), expected.size());
  float largest = 0;
  for (const float x : expected) largest = std::max(largest, std::abs(x));
  for (std::size_t i = 0; i < expected.size(); ++i)
    if (!(std::abs(found[i] - expected[i]) <= allowed * largest)) return false;
  return true;
}

} // namespace

Shards::Shards(const Graph &student, std::span<const ValueId> parameters, const Graph &teacher, const OpRegistry &ops,
               const SampleCache &samples, const ShardOptions &options)
    : student_(student), teacher_(teacher), parameters_(parameters), ops_(ops), samples_(samples), options_(options) {}

Status Shards::prepare(std::span<const std::size_t> samples) {
  EDGEC_CHECK(resize(samples, 1));
  constexpr std::int64_t rows = 8;
  Shards many(student_, parameters_, teacher_, ops_, samples_, options_);
  if (many.resize(samples, rows) && many.answers_like(*this, samples)) {
    sized_ = std::move(many.sized_);
    features_ = std::move(many.features_);
    teach_ = std::move(many.teach_);
    rows_ = rows;
  }
  return measure_powers(samples);
}

Status Shards::resize(std::span<const std::size_t> samples, std::int64_t rows) {
  rows_ = rows;
  EDGEC_ASSIGN(const Sample first, samples_.load(samples[0]));
  std::vector<Type> types;
  for (std::size_t i = 0; i < student_.inputs().size(); ++i) types.push_back(Type::of(first[i]));
  EDGEC_ASSIGN(sized_, with_batch(student_, ops_, types, rows));
  EDGEC_ASSIGN(const Graph teacher, with_batch(teacher_, ops_, types, rows));
  EDGEC_CHECK(check_teacher(teacher));
  std::vector<ValueId> fetches = float_answers(teacher, options_.outputs);
  answers_ = fetches.size();
  EDGEC_ASSIGN(const std::vector<ValueId> features, pair_features(teacher));
  fetches.insert(fetches.end(), features.begin(), features.end());
  EDGEC_ASSIGN(teach_, compile(teacher, std::move(fetches)));
  return {};
}

Result<std::vector<ValueId>> Shards::pair_features(const Graph &teacher) {
  features_.clear();
  std::vector<ValueId> found;
  for (const FeaturePair &pair : options_.features) {
    const Value &mine = sized_.value(pair.student), &its = teacher.value(pair.teacher);
    if (mine.type == its.type) {
      features_.push_back(pair.student);
      found.push_back(pair.teacher);
    } else if (pair.asked) {
      return unsupported(fmt::format("features: {} of the network that is trained is {}, {} of its teacher {}",
                                     mine.name, to_string(mine.type), its.name, to_string(its.type)));
    }
  }
  return found;
}

bool Shards::answers_like(const Shards &single, std::span<const std::size_t> samples) const {
  const auto shard = shards_of(samples)[0];
  const auto together = feeds(shard);
  const auto answers = together ? run(teach_, 0, together->inputs) : Result<Feeds>(together.error());
  if (!answers) return false;
  for (std::size_t row = 0; row < shard.size(); ++row) {
    const auto alone = single.feeds(std::span(shard).subspan(row, 1));
    const auto expected = alone ? run(single.teach_, 0, alone->inputs) : Result<Feeds>(alone.error());
    if (!expected) return false;
    for (std::size_t k = 0; k < answers_; ++k)
      if (!is_row(*(*answers)[k].tensor, *(*expected)[k].tensor, row)) return false;
  }
  return true;
}

Status Shards::prepare_loss() {
  EDGEC_ASSIGN(loss_, compile_gradients(options_.loss, false));
  EDGEC_ASSIGN(gradient_, compile_gradients(options_.loss, true));
  return {};
}

Status Shards::prepare_projection() {
  EDGEC_ASSIGN(projection_, compile_gradients(Loss::projection, true));
  return {};
}

std::size_t Shards::bytes() const {
  std::size_t sum = 0;
  for (const Runnable *each : {&teach_, &loss_, &gradient_, &projection_})
    if (each->plan) sum += each->sessions.size() * (each->plan->arena_bytes() + each->plan->scratch_bytes());
  return sum;
}

Result<double> Shards::loss(std::span<const Tensor> values, std::span<const std::size_t> samples) const {
  const auto shards = shards_of(samples);
  std::vector<double> losses(shards.size());
  EDGEC_CHECK(parallel_for(shards.size(), options_.threads, [&](std::size_t i, int worker) -> Status {
    EDGEC_ASSIGN(Fed fed, feeds(shards[i]));
    EDGEC_ASSIGN(Feeds wanted, targets(worker, fed, false));
    EDGEC_ASSIGN(const auto results, run(loss_, worker, std::move(fed.inputs), values, std::move(wanted)));
    losses[i] = static_cast<double>(results[0].tensor->as<float>()[0]);
    return {};
  }));
  return std::accumulate(losses.begin(), losses.end(), 0.0) / static_cast<double>(losses.size());
}

Result<BatchGradient> Shards::gradient(std::span<const Tensor> values, std::span<const Draw> batch) const {
  std::vector<std::vector<RuntimeValue>> results(batch.size() / rows());
  EDGEC_CHECK(parallel_for(results.size(), options_.threads, [&](std::size_t i, int worker) -> Status {
    EDGEC_ASSIGN(Fed fed, varied_feeds(batch.subspan(i * rows(), rows())));
    EDGEC_ASSIGN(Feeds wanted, targets(worker, fed, true));
    EDGEC_ASSIGN(results[i], run(gradient_, worker, std::move(fed.inputs), values, std::move(wanted)));
    return {};
  }));
  BatchGradient sum;
  for (const Tensor &value : values) sum.values.resize(sum.values.size() + static_cast<std::size_t>(value.size()));
  const auto share = 1 / static_cast<float>(results.size());
  for (const auto &result : results) {
    sum.loss += static_cast<double>(share * result[0].tensor->as<float>()[0]);
    auto to = sum.values.begin();
    for (std::size_t k = 1; k < result.size(); ++k)
      for (const float x : result[k].tensor->as<float>()) *to++ += share * x;
  }
  return sum;
}

Result<std::vector<float>> Shards::squares(std::span<const Tensor> values, std::span<const Draw> batch) const {
  std::vector<std::vector<RuntimeValue>> results(batch.size() / rows());
  EDGEC_CHECK(parallel_for(results.size(), options_.threads, [&](std::size_t i, int worker) -> Status {
    const auto shard = batch.subspan(i * rows(), rows());
    EDGEC_ASSIGN(Fed fed, varied_feeds(shard));
    EDGEC_ASSIGN(results[i], run(projection_, worker, std::move(fed.inputs), values, signs(shard[0].seed)));
    return {};
  }));
  std::vector<float> sum;
  for (const Tensor &value : values) sum.resize(sum.size() + static_cast<std::size_t>(value.size()));
  const auto share = 1 / static_cast<float>(results.size());
  for (const auto &result : results) {
    auto to = sum.begin();
    for (std::size_t k = 1; k < result.size(); ++k)
      for (const float x : result[k].tensor->as<float>()) *to++ += share * x * x;
  }
  return sum;
}

Result<Shards::Runnable> Shards::compile(const Graph &graph, std::vector<ValueId> fetches) const {
  std::vector<Type> types;
  for (const ValueId id : graph.inputs()) types.push_back(graph.value(id).type);
  PlanOptions options;
  options.isa = options_.isa;
  options.fetches = std::move(fetches);
  Runnable made;
  EDGEC_ASSIGN(made.plan, Plan::compile(graph, ops_, types, options));
  for (int i = 0; i < std::max(options_.threads, 1); ++i) made.sessions.push_back(std::make_unique<Session>(made.plan));
  return made;
}

Result<Shards::Runnable> Shards::compile_gradients(Loss loss, bool gradients) const {
  const bool projection = loss == Loss::projection;
  const auto features = gradients && !projection ? std::span<const ValueId>(features_) : std::span<const ValueId>();
  EDGEC_ASSIGN(Objective made, make_objective(sized_, ops_, parameters_, loss, powers_, projection ? 0 : options_.hard,
                                              features, options_.outputs, options_.temperature));
  if (gradients && options_.bfloat16) narrow_products(made.graph, ops_);
  std::vector<ValueId> fetches{made.loss};
  if (!gradients) return compile(made.graph, std::move(fetches));
  fetches.insert(fetches.end(), made.gradients.begin(), made.gradients.end());
  const std::size_t allowed = options_.memory / static_cast<std::size_t>(std::max(options_.threads, 1));
  const std::size_t segments = fit_into(made.graph, made.loss, fetches, allowed);
  if (segments > 1)
    log_info(fmt::format("training: values are computed again in {} segments: {} bytes are allowed a thread", segments,
                         allowed));
  return compile(made.graph, std::move(fetches));
}

Status Shards::measure_powers(std::span<const std::size_t> samples) {
  const auto shards = shards_of(samples);
  std::vector<std::vector<RuntimeValue>> answers(shards.size());
  std::vector<std::vector<double>> powers(shards.size());
  EDGEC_CHECK(parallel_for(shards.size(), options_.threads, [&](std::size_t i, int worker) -> Status {
    EDGEC_ASSIGN(Fed fed, feeds(shards[i]));
    EDGEC_ASSIGN(const auto results, run(teach_, worker, std::move(fed.inputs)));
    for (const RuntimeValue &answer : results) powers[i].push_back(mean_square(*answer.tensor));
    return {};
  }));
  powers_.assign(powers[0].size(), 0);
  for (const auto &of_shard : powers)
    for (std::size_t k = 0; k < powers_.size(); ++k) powers_[k] += of_shard[k] / static_cast<double>(powers.size());
  return {};
}

std::vector<std::vector<std::size_t>> Shards::shards_of(std::span<const std::size_t> samples) const {
  std::vector<std::vector<std::size_t>> found;
  for (std::size_t first = 0; first < samples.size(); first += rows()) {
    auto &shard = found.emplace_back();
    for (std::size_t i = 0; i < rows(); ++i) shard.push_back(samples[(first + i) % samples.size()]);
  }
  return found;
}

Shards::Fed Shards::stacked_shard(std::span<const Sample> shard) const {
  Fed fed;
  const std::size_t inputs = student_.inputs().size();
  for (std::size_t i = 0; i < shard[0].size(); ++i)
    (i < inputs ? fed.inputs : fed.right).emplace_back(stacked(shard, i));
  return fed;
}

Result<Shards::Fed> Shards::feeds(std::span<const std::size_t> samples) const {
  std::vector<Sample> shard;
  for (const std::size_t index : samples) {
    EDGEC_ASSIGN(Sample sample, samples_.load(index));
    shard.push_back(std::move(sample));
  }
  return stacked_shard(shard);
}

Result<Shards::Fed> Shards::varied_feeds(std::span<const Draw> draws) const {
  std::vector<Sample> shard;
  for (const Draw &draw : draws) {
    EDGEC_ASSIGN(const Sample sample, samples_.load(draw.sample));
    EDGEC_ASSIGN(const Sample other, samples_.load(draw.other));
    Random random(draw.seed);
    shard.push_back(augmented(sample, other, options_.augmentation, random));
  }
  return stacked_shard(shard);
}

Result<Shards::Feeds> Shards::targets(int worker, const Fed &fed, bool features) const {
  if (options_.hard >= 1) return fed.right;
  EDGEC_ASSIGN(Feeds wanted, run(teach_, worker, fed.inputs));
  if (!features) wanted.erase(wanted.begin() + static_cast<std::ptrdiff_t>(answers_), wanted.end());
  if (options_.hard > 0) wanted.insert(wanted.end(), fed.right.begin(), fed.right.end());
  return wanted;
}

Status Shards::check_teacher(const Graph &teacher) const {
  if (options_.hard >= 1) return {};
  const auto mine = float_answers(sized_, options_.outputs), its = float_answers(teacher, options_.outputs);
  for (std::size_t i = 0; i < std::max(mine.size(), its.size()); ++i) {
    const auto type = [i](const Graph &graph, const std::vector<ValueId> &answers) {
      return i < answers.size() ? to_string(graph.value(answers[i]).type) : std::string("none");
    };
    if (type(sized_, mine) != type(teacher, its))
      return unsupported(fmt::format("answer {} of the network that is trained is {}, that of its teacher {}", i + 1,
                                     type(sized_, mine), type(teacher, its)));
  }
  return {};
}

/// Of each of the student's answers.
Shards::Feeds Shards::signs(std::uint64_t seed) const {
  Random random(seed);
  Feeds found;
  for (const ValueId id : float_answers(sized_, options_.outputs)) {
    const Dims dims = *sized_.value(id).type.concrete();
    std::vector<float> values(static_cast<std::size_t>(*element_count(dims)));
    for (float &value : values) value = random.below(2) == 0 ? -1.0F : 1.0F;
    found.emplace_back(Tensor::of(dims, std::move(values)));
  }
  return found;
}

Result<std::vector<RuntimeValue>> Shards::run(const Runnable &run, int worker, Feeds feeds,
                                              std::span<const Tensor> values, Feeds targets) {
  for (const Tensor &tensor : values) feeds.emplace_back(tensor);
  for (RuntimeValue &target : targets) feeds.push_back(std::move(target));
  return run.sessions[static_cast<std::size_t>(worker)]->run(feeds);
}

} // namespace edgec
