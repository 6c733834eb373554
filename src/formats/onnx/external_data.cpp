// Tensor bytes in files beside the model. Only regular files beneath the model's folder are opened: relative names
// without "..", no symbolic link in any component, offset and length checked before anything is mapped.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "formats/onnx/proto.h"
#include "formats/onnx/wire.h"
#include "support/file.h"

namespace edgec::proto {
namespace {

struct Descriptor {
  int fd = -1;
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(Descriptor &&other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Descriptor &operator=(Descriptor &&other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

/// Opens a file beneath `folder` one component after another, following no link.
Result<Descriptor> open_beneath(const std::filesystem::path &folder, const std::string &location) {
  const std::filesystem::path path(location);
  const auto refused = [&](std::string_view why) {
    return bad_input(fmt::format("external data file \"{}\" {}", location, why));
  };
  if (location.empty() || location.find('\0') != std::string::npos) return refused("has no valid name");
  if (path.is_absolute()) return refused("is an absolute path: it must lie beneath the model's folder");
  for (const auto &part : path)
    if (part == "..") return refused("leaves the model's folder (\"..\")");
  Descriptor at(::open(folder.empty() ? "." : folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (at.fd < 0) return refused(fmt::format("cannot be opened: {}", std::strerror(errno)));
  for (auto part = path.begin(); part != path.end(); ++part) {
    if (part->empty() || *part == ".") continue;
    const bool last = std::next(part) == path.end();
    const int flags = O_NOFOLLOW | O_CLOEXEC | (last ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY);
    Descriptor next(::openat(at.fd, part->c_str(), flags));
    if (next.fd < 0 && (errno == ELOOP || (errno == ENOTDIR && !last)))
      return refused("is reached through a symbolic link, or through a file: this is not followed");
    if (next.fd < 0) return refused(fmt::format("beside the model cannot be opened: {}", std::strerror(errno)));
    at = std::move(next);
  }
  struct stat info {};
  if (::fstat(at.fd, &info) != 0 || !S_ISREG(info.st_mode)) return refused("is not a regular file");
  return at;
}

Result<Storage> map_beneath(const std::filesystem::path &folder, const std::string &location) {
  EDGEC_ASSIGN(const Descriptor file, open_beneath(folder, location));
  struct stat info {};
  if (::fstat(file.fd, &info) != 0 || info.st_size == 0) return Storage{};
  const auto size = static_cast<std::size_t>(info.st_size);
  void *mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (mapped == MAP_FAILED)
    return bad_input(fmt::format("external data file \"{}\" cannot be mapped: {}", location, std::strerror(errno)));
  std::shared_ptr<const void> owner(mapped, [size](const void *p) { ::munmap(const_cast<void *>(p), size); });
  return Storage(std::move(owner), ByteView(static_cast<const std::byte *>(mapped), size), Backing::file);
}

std::optional<std::uint64_t> parse_number(const std::string &text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool same_bytes(const Storage &a, const Storage &b) {
  if (a.size() != b.size()) return false;
  constexpr std::size_t piece = std::size_t{16} << 20;
  for (std::size_t at = 0; at < a.size(); at += piece) {
    const std::size_t size = std::min(piece, a.size() - at);
    if (std::memcmp(a.data() + at, b.data() + at, size) != 0) return false;
    release_pages(a.slice(at, size));
    release_pages(b.slice(at, size));
  }
  return true;
}

} // namespace

ExternalData::ExternalData(std::filesystem::path folder, Storage own, const std::vector<Storage> *known)
    : folder_(std::move(folder)), own_(std::move(own)) {
  if (known == nullptr) return;
  for (const Storage &bytes : *known)
    if (bytes.size() > big_bytes) known_.emplace(bytes.size(), bytes);
}

Result<const Storage *> ExternalData::file(const std::string &location) {
  if (location == own_file && own_.size() > 0) return &own_;
  if (!files_.contains(location)) {
    EDGEC_ASSIGN(Storage mapped, map_beneath(folder_, location));
    files_.emplace(location, std::move(mapped));
  }
  return &files_.at(location);
}

Result<Storage> ExternalData::bytes(const onnx::TensorProto &tensor, std::size_t size) {
  const auto refused = [&](const std::string &why) {
    return bad_input(fmt::format("tensor \"{}\": {}", tensor.name(), why));
  };
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  for (const auto &entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() != "offset" && entry.key() != "length") continue;
    const auto number = parse_number(entry.value());
    if (!number) return refused(fmt::format("its external data has the {} \"{}\"", entry.key(), entry.value()));
    if (entry.key() == "offset")
      offset = *number;
    else
      length = number;
  }
  if (length && *length != size && location == own_file)
    return bad_input(fmt::format("tensor \"{}\" of {}[{}] needs {} bytes of data and has {}", tensor.name(),
                                 name(static_cast<DType>(tensor.data_type())), fmt::join(tensor.dims(), ","), size,
                                 *length));
  if (length && *length != size)
    return refused(fmt::format("its external data has {} bytes, its type needs {}", *length, size));
  const auto found = file(location);
  if (!found) return refused(found.error().message);
  const Storage &whole = **found;
  if (offset > whole.size() || size > whole.size() - offset)
    return refused(fmt::format("its external data \"{}\" has {} bytes, {} bytes at offset {} are asked for", location,
                               whole.size(), size, offset));
  const Storage slice = whole.slice(offset, size);
  for (auto [same, end] = known_.equal_range(size); same != end; ++same)
    if (same_bytes(slice, same->second)) return same->second;
  const auto width =
      static_cast<std::size_t>(std::max(8, std::min(64, bits(static_cast<DType>(tensor.data_type()))))) / 8;
  return reinterpret_cast<std::uintptr_t>(slice.data()) % width == 0 ? slice : copy_of(slice);
}

std::uint64_t ExternalData::total_bytes() const {
  std::uint64_t total = 0;
  for (const auto &[location, storage] : files_) total += storage.size();
  return total;
}

std::vector<std::string> ExternalData::paths() const {
  std::vector<std::string> paths;
  for (const auto &[location, storage] : files_) paths.push_back((folder_ / location).string());
  return paths;
}

} // namespace edgec::proto
