#include "train/buckets.h"

#include <algorithm>

#include <fmt/format.h>

namespace edgec {
namespace {

/// Whether the graph's inputs say all but the batch of every sample's shape.
bool says_shapes(const Graph &graph) {
  return std::ranges::all_of(graph.inputs(), [&](ValueId id) {
    const Type &type = graph.value(id).type;
    return type.shape && std::all_of(type.shape->begin() + (type.shape->empty() ? 0 : 1), type.shape->end(),
                                     [](const Dim &dim) { return dim.is_known(); });
  });
}

} // namespace

Dealer::Dealer(std::span<const std::vector<std::size_t>> buckets, std::vector<std::size_t> sizes, std::uint64_t seed)
    : sizes_(std::move(sizes)), choice_(seed + 3) {
  for (std::size_t k = 0; k < buckets.size(); ++k) {
    decks_.emplace_back(buckets[k], seed);
    bucket_of_.insert(bucket_of_.end(), buckets[k].size(), k);
  }
}

Batch Dealer::deal() {
  ++dealt_;
  const std::size_t bucket = bucket_of_[choice_.below(bucket_of_.size())];
  return {bucket, decks_[bucket].deal(sizes_[bucket])};
}

Buckets::Buckets(const Graph &student, std::span<const ValueId> parameters, const Graph &teacher, const OpRegistry &ops,
                 const SampleCache &samples, const ShardOptions &options)
    : student_(student), teacher_(teacher), parameters_(parameters), ops_(ops), samples_(samples), options_(options) {}

Status Buckets::prepare(std::span<const std::size_t> learnt, std::span<const std::size_t> held_out) {
  EDGEC_CHECK(sort(learnt, held_out));
  options_.memory /= learnt_.size();
  for (std::size_t k = 0; k < learnt_.size(); ++k) {
    buckets_.push_back(std::make_unique<Shards>(student_, parameters_, teacher_, ops_, samples_, options_));
    EDGEC_CHECK(buckets_[k]->prepare(held_out_[k].empty() ? learnt_[k] : held_out_[k]));
  }
  share_powers();
  return {};
}

Status Buckets::sort(std::span<const std::size_t> learnt, std::span<const std::size_t> held_out) {
  constexpr std::size_t most = 64;
  std::vector<std::vector<Type>> shapes;
  const auto bucket_of = [&](std::size_t index) -> Result<std::size_t> {
    if (says_shapes(student_)) return std::size_t{0};
    EDGEC_ASSIGN(const Sample sample, samples_.load(index));
    std::vector<Type> types;
    for (const Tensor &tensor : sample) types.push_back(Type::of(tensor));
    const auto found = static_cast<std::size_t>(std::ranges::find(shapes, types) - shapes.begin());
    if (found == shapes.size()) shapes.push_back(std::move(types));
    return found;
  };
  for (const auto &[samples, sorted] : {std::pair{learnt, &learnt_}, {held_out, &held_out_}})
    for (const std::size_t index : samples) {
      EDGEC_ASSIGN(const std::size_t bucket, bucket_of(index));
      if (bucket == most) return unsupported(fmt::format("training takes samples of at most {} shapes", most));
      learnt_.resize(std::max(learnt_.size(), bucket + 1));
      held_out_.resize(learnt_.size());
      (*sorted)[bucket].push_back(index);
    }
  return {};
}

/// Those of all buckets' samples, so that no shape counts for more than it has samples.
void Buckets::share_powers() {
  std::vector<double> shared;
  double all = 0;
  for (const auto &samples : held_out_) all += static_cast<double>(samples.size());
  for (std::size_t k = 0; k < buckets_.size(); ++k) {
    const std::vector<double> &own = buckets_[k]->powers();
    const double share =
        all > 0 ? static_cast<double>(held_out_[k].size()) / all : 1 / static_cast<double>(buckets_.size());
    shared.resize(own.size());
    for (std::size_t i = 0; i < own.size(); ++i) shared[i] += share * own[i];
  }
  for (const auto &bucket : buckets_) bucket->set_powers(shared);
}

Status Buckets::prepare_loss() {
  for (const auto &bucket : buckets_) EDGEC_CHECK(bucket->prepare_loss());
  return {};
}

Status Buckets::prepare_projection() {
  for (const auto &bucket : buckets_) EDGEC_CHECK(bucket->prepare_projection());
  return {};
}

std::size_t Buckets::bytes() const {
  std::size_t sum = 0;
  for (const auto &bucket : buckets_) sum += bucket->bytes();
  return sum;
}

Dealer Buckets::dealer(std::size_t batch, std::uint64_t seed) const {
  std::vector<std::size_t> sizes;
  for (const auto &bucket : buckets_)
    sizes.push_back(std::max<std::size_t>(1, batch / bucket->rows()) * bucket->rows());
  return {learnt_, std::move(sizes), seed};
}

Result<double> Buckets::loss(std::span<const Tensor> values) const {
  double all = 0, sum = 0;
  for (const auto &samples : held_out_) all += static_cast<double>(samples.size());
  for (std::size_t k = 0; k < buckets_.size(); ++k) {
    if (held_out_[k].empty()) continue;
    EDGEC_ASSIGN(const double loss, buckets_[k]->loss(values, held_out_[k]));
    sum += loss * (static_cast<double>(held_out_[k].size()) / all);
  }
  return sum;
}

Result<BatchGradient> Buckets::gradient(std::span<const Tensor> values, const Batch &batch) const {
  return buckets_[batch.bucket]->gradient(values, batch.draws);
}

Result<std::vector<float>> Buckets::squares(std::span<const Tensor> values, const Batch &batch) const {
  return buckets_[batch.bucket]->squares(values, batch.draws);
}

} // namespace edgec
