// Values of samples, kept in memory up to a budget and in an unlinked temporary file beyond it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "ir/tensor.h"
#include "support/result.h"
#include "support/storage.h"

namespace edgec {

/// Bytes that several stores may hold in memory together.
struct MemoryBudget {
  std::size_t limit = std::size_t{192} << 20;
  std::atomic<std::size_t> used = 0;

  /// Counts so many more bytes; false where they do not fit.
  bool take(std::size_t bytes);
};

/// An unlinked file in TMPDIR, made when something is written. Thread-safe.
class TemporaryFile {
public:
  TemporaryFile() = default;
  TemporaryFile(const TemporaryFile &) = delete;
  TemporaryFile &operator=(const TemporaryFile &) = delete;
  ~TemporaryFile();
  /// Writes the bytes behind what is there, from a page's beginning on; where that is.
  Result<std::int64_t> append(ByteView bytes);
  Status read(std::int64_t offset, std::span<std::byte> bytes) const;
  /// The bytes at an offset of append(). They outlive the file.
  [[nodiscard]] Result<Storage> map(std::int64_t offset, std::size_t size) const;

private:
  std::mutex mutex_;
  int file_ = -1;
  std::int64_t end_ = 0;
};

/// One value of every sample, read a few times and dropped.
class SampleStore {
public:
  SampleStore(std::size_t samples, std::shared_ptr<MemoryBudget> budget);
  ~SampleStore();
  SampleStore(SampleStore &&) noexcept;
  SampleStore &operator=(SampleStore &&) noexcept;

  /// Thread-safe for different samples. Error: the temporary file (in TMPDIR) cannot be written.
  Status put(std::size_t sample, Tensor tensor);
  [[nodiscard]] Result<Tensor> get(std::size_t sample) const;
  [[nodiscard]] const Dims &dims(std::size_t sample) const;
  void drop(std::size_t sample);

private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Results that are written once and seldom read: a few stay in memory, the others are mapped from a file.
class TensorKeeper {
public:
  /// The same tensor. Thread-safe.
  Result<Tensor> keep(Tensor tensor);

private:
  MemoryBudget budget_{std::size_t{8} << 20};
  TemporaryFile file_;
};

/// The elements of a kept tensor, which need not stay in memory.
std::vector<double> kept_values(const Tensor &tensor);

} // namespace edgec
