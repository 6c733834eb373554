#include "calibrate/sample_store.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include <fmt/format.h>

#include "support/file.h"

namespace edgec {
namespace {

constexpr std::int64_t nowhere = -1;
/// A result that small stays in memory: a mapping for each would be many.
constexpr std::size_t least_mapped = std::size_t{64} << 10;

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
    if (moved <= 0)
      return resource_error(fmt::format("temporary file: {}", moved == 0 ? "cut short" : std::strerror(errno)));
    bytes += moved;
    size -= static_cast<std::size_t>(moved);
    offset += moved;
  }
  return {};
}

} // namespace

bool MemoryBudget::take(std::size_t bytes) {
  if ((used += bytes) <= limit) return true;
  used -= bytes;
  return false;
}

TemporaryFile::~TemporaryFile() {
  if (file_ >= 0) ::close(file_);
}

Result<std::int64_t> TemporaryFile::append(ByteView bytes) {
  std::int64_t offset = 0;
  {
    const std::lock_guard lock(mutex_);
    if (file_ < 0) {
      EDGEC_ASSIGN(file_, open_unlinked());
    }
    const auto page = static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
    offset = end_;
    end_ += (static_cast<std::int64_t>(bytes.size()) + page - 1) / page * page;
  }
  const auto write = [&](const std::byte *from, std::size_t count, off_t at) {
    return ::pwrite(file_, from, count, at);
  };
  EDGEC_CHECK(transfer(write, bytes.data(), bytes.size(), offset));
  return offset;
}

Status TemporaryFile::read(std::int64_t offset, std::span<std::byte> bytes) const {
  const auto step = [&](std::byte *to, std::size_t count, off_t at) { return ::pread(file_, to, count, at); };
  return transfer(step, bytes.data(), bytes.size(), offset);
}

Result<Storage> TemporaryFile::map(std::int64_t offset, std::size_t size) const {
  void *mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file_, offset);
  if (mapped == MAP_FAILED)
    return resource_error(fmt::format("temporary file: cannot be mapped: {}", std::strerror(errno)));
  std::shared_ptr<const void> owner(mapped, [size](const void *p) { ::munmap(const_cast<void *>(p), size); });
  return Storage(std::move(owner), ByteView(static_cast<const std::byte *>(mapped), size), Backing::file);
}

struct SampleStore::State {
  std::shared_ptr<MemoryBudget> budget;
  std::vector<Tensor> tensors; // without bytes where they are in the file
  std::vector<std::int64_t> offsets;
  std::vector<std::size_t> sizes;
  TemporaryFile file;

  ~State() {
    for (std::size_t i = 0; i < tensors.size(); ++i) forget(i);
  }
  void forget(std::size_t i) {
    if (offsets[i] == nowhere) budget->used -= tensors[i].data.size();
    tensors[i] = {};
    offsets[i] = nowhere;
  }
};

SampleStore::SampleStore(std::size_t samples, std::shared_ptr<MemoryBudget> budget)
    : state_(std::make_unique<State>()) {
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
  if (s.budget->take(size)) {
    s.tensors[sample] = std::move(tensor);
    return {};
  }
  EDGEC_ASSIGN(const std::int64_t offset, s.file.append(tensor.data.bytes()));
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
  EDGEC_CHECK(s.file.read(s.offsets[sample], bytes));
  return Tensor::of_bytes(kept.dtype, kept.dims, std::move(bytes));
}

const Dims &SampleStore::dims(std::size_t sample) const { return state_->tensors[sample].dims; }

void SampleStore::drop(std::size_t sample) { state_->forget(sample); }

Result<Tensor> TensorKeeper::keep(Tensor tensor) {
  const ByteView bytes = tensor.data.bytes();
  if (bytes.size() < least_mapped || budget_.take(bytes.size())) return tensor;
  EDGEC_ASSIGN(const std::int64_t offset, file_.append(bytes));
  EDGEC_ASSIGN(tensor.data, file_.map(offset, bytes.size()));
  return tensor;
}

std::vector<double> kept_values(const Tensor &tensor) {
  std::vector<double> values = to_doubles(tensor);
  release_pages(tensor.data);
  return values;
}

} // namespace edgec
