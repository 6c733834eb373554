#include "calibrate/sample_store.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include <fmt/format.h>

namespace edgec {
namespace {

constexpr off_t nowhere = -1;

Result<int> open_unlinked() {
  std::error_code ignored;
  std::string path = (std::filesystem::temp_directory_path(ignored) / "edgec-XXXXXX").string();
  const int file = ::mkstemp(path.data());
  if (file < 0) return resource_error(fmt::format("{}: cannot make a temporary file: {}", path, std::strerror(errno)));
  ::unlink(path.c_str());
  return file;
}

/// Writes or reads all bytes at an offset: `step` is pwrite or pread.
template <class Step, class Byte>
Status transfer(Step &&step, Byte *bytes, std::size_t size, off_t offset) {
  while (size > 0) {
    const ssize_t moved = step(bytes, size, offset);
    if (moved < 0 && errno == EINTR) continue;
    if (moved <= 0) return resource_error(fmt::format("temporary file: {}", moved == 0 ? "cut short" : std::strerror(errno)));
    bytes += moved;
    size -= static_cast<std::size_t>(moved);
    offset += moved;
  }
  return {};
}

} // namespace

struct SampleStore::State {
  std::shared_ptr<MemoryBudget> budget;
  std::vector<Tensor> tensors; // without bytes where they are in the file
  std::vector<off_t> offsets;
  std::vector<std::size_t> sizes;
  std::mutex mutex;
  int file = -1;
  off_t end = 0;

  ~State() {
    for (std::size_t i = 0; i < tensors.size(); ++i) forget(i);
    if (file >= 0) ::close(file);
  }
  void forget(std::size_t i) {
    if (offsets[i] == nowhere) budget->used -= tensors[i].data.size();
    tensors[i] = {};
    offsets[i] = nowhere;
  }
};

SampleStore::SampleStore(std::size_t samples, std::shared_ptr<MemoryBudget> budget) : state_(std::make_unique<State>()) {
  state_->budget = std::move(budget);
  state_->tensors.resize(samples);
  state_->offsets.assign(samples, nowhere);
  state_->sizes.resize(samples);
}
SampleStore::~SampleStore() = default;
SampleStore::SampleStore(SampleStore &&) noexcept = default;
SampleStore &SampleStore::operator=(SampleStore &&) noexcept = default;

Status SampleStore::put(std::size_t sample, Tensor tensor) {
  State &s = *state_;
  s.forget(sample);
  const std::size_t size = tensor.data.size();
  if ((s.budget->used += size) <= s.budget->limit) {
    s.tensors[sample] = std::move(tensor);
    return {};
  }
  s.budget->used -= size;
  off_t offset = 0;
  {
    const std::lock_guard lock(s.mutex);
    if (s.file < 0) {
      EDGEC_ASSIGN(s.file, open_unlinked());
    }
    offset = s.end;
    s.end += static_cast<off_t>(size);
  }
  const auto write = [&](const std::byte *bytes, std::size_t count, off_t at) { return ::pwrite(s.file, bytes, count, at); };
  EDGEC_CHECK(transfer(write, tensor.data.data(), size, offset));
  s.tensors[sample] = {tensor.dtype, std::move(tensor.dims), {}, nullptr};
  s.offsets[sample] = offset;
  s.sizes[sample] = size;
  return {};
}

Result<Tensor> SampleStore::get(std::size_t sample) const {
  const State &s = *state_;
  const Tensor &kept = s.tensors[sample];
  if (s.offsets[sample] == nowhere) return kept;
  std::vector<std::byte> bytes(s.sizes[sample]);
  const auto read = [&](std::byte *to, std::size_t count, off_t at) { return ::pread(s.file, to, count, at); };
  EDGEC_CHECK(transfer(read, bytes.data(), bytes.size(), s.offsets[sample]));
  return Tensor::of_bytes(kept.dtype, kept.dims, std::move(bytes));
}

void SampleStore::drop(std::size_t sample) { state_->forget(sample); }

} // namespace edgec
