// Samples in buckets of one shape each, so that what runs together fits together: sentences of one length, say.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "train/batches.h"
#include "train/shards.h"

namespace edgec {

/// Samples of one bucket.
struct Batch {
  std::size_t bucket = 0;
  std::vector<Draw> draws;
};

/// Draws batches: the bucket at random by how many samples it has, samples as Deck does.
class Dealer {
public:
  /// `sizes`: samples of a batch, by bucket.
  Dealer(std::span<const std::vector<std::size_t>> buckets, std::vector<std::size_t> sizes, std::uint64_t seed);
  Batch deal();
  [[nodiscard]] std::uint64_t dealt() const { return dealt_; } ///< batches

private:
  std::vector<Deck> decks_;
  std::vector<std::size_t> sizes_, bucket_of_; ///< bucket_of_: each sample's
  Random choice_;
  std::uint64_t dealt_ = 0;
};

/// Shards for each shape. Losses are means over samples, in units that all buckets share.
class Buckets {
public:
  /// As Shards.
  Buckets(const Graph &student, std::span<const ValueId> parameters, const Graph &teacher, const OpRegistry &ops,
          const SampleCache &samples, const ShardOptions &options);

  /// Sorts samples by shape and makes Shards for them. Errors: as Shards; more than 64 shapes (unsupported).
  Status prepare(std::span<const std::size_t> learnt, std::span<const std::size_t> held_out);
  Status prepare_loss();
  Status prepare_projection();

  [[nodiscard]] std::size_t bytes() const;
  [[nodiscard]] std::size_t features() const { return buckets_[0]->features(); }
  /// Of batches of about `batch` samples to learn from.
  [[nodiscard]] Dealer dealer(std::size_t batch, std::uint64_t seed) const;

  /// The mean loss on held-out samples.
  [[nodiscard]] Result<double> loss(std::span<const Tensor> values) const;
  [[nodiscard]] Result<BatchGradient> gradient(std::span<const Tensor> values, const Batch &batch) const;
  [[nodiscard]] Result<std::vector<float>> squares(std::span<const Tensor> values, const Batch &batch) const;

private:
  const Graph &student_, &teacher_;
  std::span<const ValueId> parameters_;
  const OpRegistry &ops_;
  const SampleCache &samples_;
  ShardOptions options_;
  std::vector<std::unique_ptr<Shards>> buckets_;
  std::vector<std::vector<std::size_t>> learnt_, held_out_; ///< by bucket

  Status sort(std::span<const std::size_t> learnt, std::span<const std::size_t> held_out);
  void share_powers();
};

} // namespace edgec
