#include "support/file.h"

#define OPENSSL_SUPPRESS_DEPRECATED // SHA256_*: a static libcrypto would bring all its algorithms along with EVP_*

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <new>

#include "support/nearest.h"

namespace edgec {
namespace {

/// A file descriptor that closes itself.
struct Descriptor {
  int fd = -1;
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

Error failed(const std::filesystem::path &path, const char *what) {
  const Code code = errno == ENOSPC || errno == ENOMEM || errno == EDQUOT ? Code::resource : Code::bad_input;
  return {code, fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno))};
}

/// "; did you mean 'model.onnx'?" where the folder of a file that is not there has one whose name is a few edits away.
std::string name_like(const std::filesystem::path &path) {
  constexpr std::size_t most_looked_at = 1000;
  const std::string wanted = path.filename().string();
  std::error_code error;
  std::string best;
  std::size_t least = wanted.size() / 4 + 1, looked_at = 0;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (const auto &entry : std::filesystem::directory_iterator(folder, error)) {
    if (++looked_at > most_looked_at) break;
    const std::string name = entry.path().filename().string();
    const std::size_t edits = edit_distance(wanted, name);
    if (edits < least || (edits == least && !best.empty() && name < best)) least = edits, best = name;
  }
  return best.empty() ? "" : fmt::format("; did you mean '{}'?", best);
}

/// What keeps a file from being written is the disk, its folder or its owner: never the input.
Error not_written(const std::filesystem::path &path, const char *what) {
  return {Code::resource, fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno))};
}

Status write_all(int fd, ByteView bytes, const std::filesystem::path &path) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return not_written(path, "cannot write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

Result<Storage> read_stream(int fd, const std::filesystem::path &path) {
  std::vector<std::byte> bytes;
  std::array<std::byte, 65536> chunk{};
  for (;;) {
    const auto got = ::read(fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, "cannot read");
    if (got == 0) break;
    bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + got);
  }
  return Storage::take(std::move(bytes));
}

} // namespace

Result<Storage> map_file(const std::filesystem::path &path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.fd < 0) {
    const int why = errno;
    const std::string like = why == ENOENT ? name_like(path) : "";
    errno = why;
    Error error = failed(path, "cannot open");
    error.message += like;
    return error;
  }
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return failed(path, "cannot read");
  if (S_ISDIR(info.st_mode)) return bad_input(fmt::format("{}: is a folder, a file was expected", path.string()));
  if (!S_ISREG(info.st_mode)) return bad_input(fmt::format("{}: is not a regular file", path.string()));
  if (info.st_size == 0) return Storage{};
  const auto size = static_cast<std::size_t>(info.st_size);
  void *mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (mapped == MAP_FAILED) return failed(path, "cannot map");
  std::shared_ptr<const void> owner(mapped, [size](const void *p) { ::munmap(const_cast<void *>(p), size); });
  return Storage(std::move(owner), ByteView(static_cast<const std::byte *>(mapped), size), Backing::file);
}

Result<Storage> read_file(const std::filesystem::path &path) {
  if (path == "-") return read_stream(STDIN_FILENO, "standard input");
  return map_file(path);
}

Status check_writable(const std::filesystem::path &path) {
  std::string temporary = path.string() + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.fd < 0) return not_written(path, "cannot create a file in its folder");
  ::unlink(temporary.c_str());
  return {};
}

Status write_file(const std::filesystem::path &path, std::span<const ByteView> parts, bool force) {
  if (path == "-") {
    for (const auto part : parts) EDGEC_CHECK(write_all(STDOUT_FILENO, part, "standard output"));
    return {};
  }
  std::error_code ignored;
  if (!force && std::filesystem::exists(std::filesystem::symlink_status(path, ignored)))
    return usage_error(fmt::format("{}: exists already; give --force to replace it", path.string()));
  std::string temporary = path.string() + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));
  if (file.fd < 0) return not_written(path, "cannot create a file in its folder");
  Status status;
  for (const auto part : parts) {
    status = write_all(file.fd, part, path);
    if (!status) break;
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (status && ::fchmod(file.fd, 0666 & ~mask) != 0) status = not_written(path, "cannot set its mode");
  if (status && ::fsync(file.fd) != 0) status = not_written(path, "cannot write");
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = not_written(path, "cannot replace");
  if (!status) ::unlink(temporary.c_str());
  return status;
}

Status write_file(const std::filesystem::path &path, std::string_view text, bool force) {
  const ByteView bytes = std::as_bytes(std::span(text));
  return write_file(path, {&bytes, 1}, force);
}

namespace {

/// SHA-256 of what it is fed.
class Digest {
public:
  Digest() { SHA256_Init(&context_); }
  void add(ByteView bytes) { SHA256_Update(&context_, bytes.data(), bytes.size()); }
  std::string text() {
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
    SHA256_Final(digest.data(), &context_);
    std::string text;
    for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
    return text;
  }

private:
  SHA256_CTX context_{};
};

} // namespace

std::string sha256(ByteView bytes) {
  Digest digest;
  digest.add(bytes);
  return digest.text();
}

std::string sha256(const Storage &bytes) {
  Digest digest;
  for_each_piece(bytes, [&](ByteView piece) { digest.add(piece); });
  return digest.text();
}

void release_pages(const Storage &bytes) {
  if (bytes.backing() != Backing::file || bytes.size() == 0) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data()) / page * page;
  const auto end = (reinterpret_cast<std::uintptr_t>(bytes.data()) + bytes.size() + page - 1) / page * page;
  // A private mapping that is never written to: its pages come back from the file.
  ::madvise(reinterpret_cast<void *>(begin), end - begin, MADV_DONTNEED); // NOLINT(performance-no-int-to-ptr)
}

void for_each_piece(const Storage &bytes, const std::function<void(ByteView)> &visit) {
  constexpr std::size_t piece = std::size_t{16} << 20;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const Storage part = bytes.slice(at, std::min(piece, bytes.size() - at));
    visit(part.bytes());
    release_pages(part);
  }
}

Storage copy_of(const Storage &bytes) {
  // Not a vector: its elements would be written twice, and all pages with them.
  const std::shared_ptr<std::byte[]> copy(new (std::align_val_t{64}) std::byte[bytes.size()],
                                          [](std::byte *p) { ::operator delete[](p, std::align_val_t{64}); });
  std::byte *to = copy.get();
  for_each_piece(bytes, [&](ByteView piece) {
    std::ranges::copy(piece, to);
    to += piece.size();
  });
  return {copy, ByteView(copy.get(), bytes.size())};
}

} // namespace edgec
