// Samples in memory, and the order in which training sees them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "data/samples.h"
#include "support/random.h"

namespace edgec {

/// The right answers to samples, a class for each row.
struct RightAnswers {
  std::span<const std::int64_t> labels; ///< empty: there are none
  std::int64_t classes = 0;
};

/// Prepared samples, kept as far as memory allows; the others are loaded whenever they are asked for.
class SampleCache {
public:
  explicit SampleCache(const SampleSet &samples, RightAnswers right = {}) : samples_(samples), right_(right) {}
  /// Keeps as many as `memory` bytes hold, and one lot more.
  Status fill(std::span<const std::size_t> indices, std::size_t memory, int threads);
  /// The inputs, and with right answers one tensor more: [rows, classes], 1 at a row's label. What mixes samples mixes
  /// it with them.
  [[nodiscard]] Result<Sample> load(std::size_t index) const;

private:
  const SampleSet &samples_;
  RightAnswers right_;
  std::vector<std::optional<Sample>> kept_;

  [[nodiscard]] Result<Sample> prepared(std::size_t index) const;
};

/// A sample as training sees it once: which one is mixed into it, and what it is varied by.
struct Draw {
  std::size_t sample = 0, other = 0;
  std::uint64_t seed = 0;
};

/// Draws every sample once in a random order, then again.
class Deck {
public:
  Deck(std::span<const std::size_t> samples, std::uint64_t seed);
  std::vector<Draw> deal(std::size_t count);
  [[nodiscard]] std::uint64_t dealt() const { return dealt_; } ///< times

private:
  std::vector<std::size_t> cards_;
  Random order_, variation_;
  std::size_t next_ = 0;
  std::uint64_t dealt_ = 0;

  std::size_t draw();
};

/// One input of several samples, row after row.
Tensor stacked(std::span<const Sample> samples, std::size_t input);

} // namespace edgec
