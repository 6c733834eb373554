// One value of every sample, kept in memory up to a budget and in an unlinked temporary file beyond it.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "ir/tensor.h"
#include "support/result.h"

namespace edgec {

/// Bytes that several stores may hold in memory together.
struct MemoryBudget {
  std::size_t limit;
  std::atomic<std::size_t> used = 0;
};

class SampleStore {
public:
  SampleStore(std::size_t samples, std::shared_ptr<MemoryBudget> budget);
  ~SampleStore();
  SampleStore(SampleStore &&) noexcept;
  SampleStore &operator=(SampleStore &&) noexcept;

  /// Thread-safe for different samples. Error: the temporary file (in TMPDIR) cannot be written.
  Status put(std::size_t sample, Tensor tensor);
  [[nodiscard]] Result<Tensor> get(std::size_t sample) const;
  void drop(std::size_t sample);

private:
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace edgec
