// Immutable bytes that many holders share: a heap block, a mapped file, or a slice of either.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace edgec {

using ByteView = std::span<const std::byte>;

/// Where bytes lie. Those of a mapped file need not stay in memory: release_pages() (support/file.h) lets them go.
enum class Backing : unsigned char { memory, file };

/// A shared, immutable run of bytes. Copying shares; the owner lives as long as the last slice.
class Storage {
public:
  Storage() = default;
  /// Bytes that `owner` keeps alive.
  Storage(std::shared_ptr<const void> owner, ByteView bytes, Backing backing = Backing::memory)
      : owner_(std::move(owner)), bytes_(bytes), backing_(backing) {}

  /// Takes over a vector.
  template <class T>
  static Storage take(std::vector<T> values) {
    auto owner = std::make_shared<const std::vector<T>>(std::move(values));
    return {owner, std::as_bytes(std::span(*owner))};
  }
  static Storage copy(ByteView bytes) { return take(std::vector<std::byte>(bytes.begin(), bytes.end())); }

  [[nodiscard]] Storage slice(std::size_t offset, std::size_t size) const {
    return {owner_, bytes_.subspan(offset, size), backing_};
  }
  [[nodiscard]] ByteView bytes() const { return bytes_; }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] const std::byte *data() const { return bytes_.data(); }
  [[nodiscard]] Backing backing() const { return backing_; }

private:
  std::shared_ptr<const void> owner_;
  ByteView bytes_;
  Backing backing_ = Backing::memory;
};

} // namespace edgec
