// The container of an .edgec file: a header, a table of sections, and the sections' bytes. Knows nothing of graphs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codec/pack.h"
#include "support/result.h"
#include "support/storage.h"

namespace edgec::flat {

inline constexpr std::uint16_t major_version = 1, minor_version = 1;
inline constexpr std::size_t alignment = 64;      ///< of every section's offset
inline constexpr std::uint32_t plain_profile = 1; ///< bit of the header's hints

/// Numbers stored in files: never reuse one. From 0x8000 on: free for private use.
enum class SectionKind : std::uint32_t { graph = 1, tensors = 2, memory_plan = 3, compact_graph = 4 };
std::string kind_name(std::uint32_t kind);

struct Section {
  std::uint32_t kind = 0;
  bool required = true; ///< a reader that does not know the kind must refuse the file
  Packing packing;
  Storage stored;
  std::uint64_t offset = 0; ///< in the file
};

/// An opened file. Every byte of it has been checked: sections and header by their checksums, the rest to be zero.
class Container {
public:
  /// Errors: bad_input with what is wrong; unsupported for a newer major version, an unknown feature or an unknown
  /// required section.
  static Result<Container> open(const Storage &file);

  [[nodiscard]] const std::vector<Section> &sections() const { return sections_; }
  [[nodiscard]] std::uint16_t minor() const { return minor_; }
  [[nodiscard]] std::uint32_t hints() const { return hints_; }
  /// A section's raw bytes: the file's own where it is plain, else unpacked, on at most that many threads. Aligned for
  /// every element type.
  [[nodiscard]] Result<Storage> unpack(std::size_t index, int threads = 1) const;

private:
  std::vector<Section> sections_;
  std::uint16_t minor_ = 0;
  std::uint32_t hints_ = 0;
};

/// A section to be written: bytes as packed, or the raw ones where packing says plain.
struct SectionSource {
  SectionKind kind{};
  bool required = true;
  Packing packing;
  ByteView bytes;
};

/// Header, table and sections in order, each at the next multiple of `alignment`.
std::vector<std::byte> build_container(std::span<const SectionSource> sections, std::uint32_t hints);

/// Whether bytes begin with the format's eight magic bytes.
bool has_magic(ByteView bytes);

} // namespace edgec::flat
