#include "support/file.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>

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

Status write_all(int fd, ByteView bytes, const std::filesystem::path &path) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed(path, "cannot write");
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
  if (file.fd < 0) return failed(path, "cannot open");
  struct stat info{};
  if (::fstat(file.fd, &info) != 0) return failed(path, "cannot read");
  if (S_ISDIR(info.st_mode)) return bad_input(fmt::format("{}: is a folder, a file was expected", path.string()));
  if (!S_ISREG(info.st_mode)) return bad_input(fmt::format("{}: is not a regular file", path.string()));
  if (info.st_size == 0) return Storage{};
  const auto size = static_cast<std::size_t>(info.st_size);
  void *mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (mapped == MAP_FAILED) return failed(path, "cannot map");
  std::shared_ptr<const void> owner(mapped, [size](const void *p) { ::munmap(const_cast<void *>(p), size); });
  return Storage(std::move(owner), ByteView(static_cast<const std::byte *>(mapped), size));
}

Result<Storage> read_file(const std::filesystem::path &path) {
  if (path == "-") return read_stream(STDIN_FILENO, "standard input");
  return map_file(path);
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
  if (file.fd < 0) return failed(path, "cannot create a file in its folder");
  Status status;
  for (const auto part : parts) {
    status = write_all(file.fd, part, path);
    if (!status) break;
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (status && ::fchmod(file.fd, 0666 & ~mask) != 0) status = failed(path, "cannot set its mode");
  if (status && ::fsync(file.fd) != 0) status = failed(path, "cannot write");
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = failed(path, "cannot replace");
  if (!status) ::unlink(temporary.c_str());
  return status;
}

std::string sha256(ByteView bytes) {
  std::array<unsigned char, 32> digest{};
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string text;
  for (const unsigned char byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

} // namespace edgec
