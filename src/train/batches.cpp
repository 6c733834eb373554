#include "train/batches.h"

#include <algorithm>

#include "support/parallel.h"

namespace edgec {
namespace {

std::size_t bytes_of(const Sample &sample) {
  std::size_t bytes = 0;
  for (const Tensor &tensor : sample) bytes += tensor.data.size();
  return bytes;
}

} // namespace

Status SampleCache::fill(std::span<const std::size_t> indices, std::size_t memory, int threads) {
  constexpr std::size_t at_once = 64;
  kept_.resize(samples_.size());
  for (std::size_t first = 0; first < indices.size() && memory > 0; first += at_once) {
    const auto some = indices.subspan(first, std::min(at_once, indices.size() - first));
    EDGEC_CHECK(parallel_for(some.size(), threads, [&](std::size_t i, int) -> Status {
      EDGEC_ASSIGN(kept_[some[i]], prepared(some[i]));
      return {};
    }));
    for (const std::size_t index : some) memory -= std::min(memory, bytes_of(*kept_[index]));
  }
  return {};
}

Result<Sample> SampleCache::load(std::size_t index) const {
  if (index < kept_.size() && kept_[index]) return *kept_[index];
  return prepared(index);
}

Result<Sample> SampleCache::prepared(std::size_t index) const {
  EDGEC_ASSIGN(Sample sample, samples_.load(index));
  if (right_.labels.empty()) return sample;
  const std::size_t rows = samples_.batch(), classes = static_cast<std::size_t>(right_.classes);
  std::vector<float> right(rows * classes);
  for (std::size_t i = 0; i < rows; ++i) {
    const std::size_t row = std::min(index * rows + i, right_.labels.size() - 1); // as a last call is filled up
    right[i * classes + static_cast<std::size_t>(right_.labels[row])] = 1;
  }
  sample.push_back(Tensor::of({static_cast<std::int64_t>(rows), right_.classes}, std::move(right)));
  return sample;
}

Deck::Deck(std::span<const std::size_t> samples, std::uint64_t seed)
    : cards_(samples.begin(), samples.end()), order_(seed), variation_(seed + 1) {}

std::vector<Draw> Deck::deal(std::size_t count) {
  ++dealt_;
  std::vector<Draw> draws(count);
  for (Draw &draw : draws) draw.sample = this->draw();
  for (Draw &draw : draws) draw.other = draws[variation_.below(count)].sample, draw.seed = variation_.bits();
  return draws;
}

std::size_t Deck::draw() {
  if (next_ == 0)
    for (std::size_t i = cards_.size(); i > 1; --i) std::swap(cards_[i - 1], cards_[order_.below(i)]);
  const std::size_t card = cards_[next_];
  next_ = (next_ + 1) % cards_.size();
  return card;
}

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

} // namespace edgec
