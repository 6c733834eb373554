#include "formats/flat/container.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <zlib.h>

namespace edgec::flat {
namespace {

constexpr std::array<unsigned char, 8> magic{0x89, 'E', 'D', 'G', '\r', '\n', 0x1a, '\n'};

/// The first 64 bytes, little endian.
struct Header {
  std::array<unsigned char, 8> magic;
  std::uint16_t major, minor;
  std::uint32_t features; ///< a bit that a reader does not know: it must refuse
  std::uint64_t file_size;
  std::uint64_t table_offset;
  std::uint32_t sections;
  std::uint32_t entry_size;
  std::uint32_t hints; ///< bits that a reader may ignore
  std::array<std::uint32_t, 4> reserved;
  std::uint32_t checksum; ///< CRC-32 of header (this field zero) and table
};
static_assert(sizeof(Header) == 64 && offsetof(Header, checksum) == 60);

/// One row of the section table.
struct Entry {
  std::uint32_t kind;
  std::uint16_t flags; ///< bit 0: required
  std::uint8_t transform, compressor;
  std::uint64_t offset, stored_size, coded_size, raw_size;
  std::uint32_t checksum; ///< CRC-32 of the stored bytes
  std::array<std::uint32_t, 5> reserved;
};
static_assert(sizeof(Entry) == 64 && offsetof(Entry, checksum) == 40);

template <class T>
T load(ByteView bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::uint32_t crc(ByteView bytes, std::uint32_t before = 0) {
  return static_cast<std::uint32_t>(::crc32_z(before, reinterpret_cast<const Bytef *>(bytes.data()), bytes.size()));
}

std::uint32_t header_checksum(Header header, ByteView table) {
  header.checksum = 0;
  return crc(table, crc(std::as_bytes(std::span(&header, 1))));
}

constexpr std::uint64_t align_up(std::uint64_t offset) { return (offset + alignment - 1) / alignment * alignment; }

/// What a file is that is none of ours, where that can be told.
Error not_flat(ByteView bytes) {
  if (bytes.empty()) return bad_input("is empty, an .edgec file was expected");
  constexpr std::string_view text_mode = "\x89"
                                         "EDG\n";
  const std::string_view head(reinterpret_cast<const char *>(bytes.data()), std::min<std::size_t>(bytes.size(), 64));
  if (head.starts_with(text_mode)) return bad_input("was damaged by a transfer in text mode; copy it as binary");
  if (head.starts_with("version https://git-lfs"))
    return bad_input("is a Git LFS pointer, not the file itself; run `git lfs pull`");
  return bad_input("is not a .edgec file (its first bytes are not the format's)");
}

Result<Header> read_header(ByteView bytes) {
  if (!has_magic(bytes)) return not_flat(bytes);
  if (bytes.size() < sizeof(Header))
    return bad_input(fmt::format("is cut off: {} bytes, the header alone takes {}", bytes.size(), sizeof(Header)));
  const auto header = load<Header>(bytes, 0);
  if (header.major != major_version)
    return unsupported(
        fmt::format("is of format version {}.{}, this program reads {}.x", header.major, header.minor, major_version));
  if (header.features != 0)
    return unsupported(fmt::format("needs features {:#x} that this version does not know", header.features));
  if (header.file_size != bytes.size())
    return bad_input(fmt::format("has {} bytes where its header says {}{}", bytes.size(), header.file_size,
                                 bytes.size() < header.file_size ? "; it is cut off" : ""));
  if (header.entry_size != sizeof(Entry))
    return bad_input(fmt::format("section table rows of {} bytes, {} were expected", header.entry_size, sizeof(Entry)));
  if (header.table_offset != sizeof(Header))
    return bad_input(fmt::format("section table at {}, {} was expected", header.table_offset, sizeof(Header)));
  if (header.sections > (bytes.size() - sizeof(Header)) / sizeof(Entry))
    return bad_input(fmt::format("{} sections do not fit into {} bytes", header.sections, bytes.size()));
  const ByteView table = bytes.subspan(sizeof(Header), header.sections * sizeof(Entry));
  if (header_checksum(header, table) != header.checksum)
    return bad_input("the checksum of header and section table is wrong");
  if (std::ranges::any_of(header.reserved, [](auto word) { return word != 0; }))
    return bad_input("reserved bytes of the header are not zero");
  return header;
}

/// Places every section must have: aligned, behind the table, inside the file; `end` is where the one before it ends.
Status check_place(const Entry &entry, std::uint64_t end, ByteView bytes) {
  if (entry.offset % alignment != 0)
    return bad_input(fmt::format("offset {} is not a multiple of {}", entry.offset, alignment));
  if (entry.offset > bytes.size() || entry.stored_size > bytes.size() - entry.offset)
    return bad_input(
        fmt::format("bytes {} + {} lie outside the file of {}", entry.offset, entry.stored_size, bytes.size()));
  if (entry.offset < end) return bad_input(fmt::format("offset {} overlaps what ends at {}", entry.offset, end));
  const ByteView gap = bytes.subspan(end, entry.offset - end);
  if (std::ranges::any_of(gap, [](std::byte b) { return b != std::byte{0}; }))
    return bad_input(fmt::format("the bytes between {} and {} are not zero", end, entry.offset));
  return {};
}

Result<Section> read_section(const Entry &entry, std::uint64_t end, const Storage &file) {
  EDGEC_CHECK(check_place(entry, end, file.bytes()));
  Section section{entry.kind,
                  (entry.flags & 1) != 0,
                  {entry.transform, entry.compressor, entry.raw_size, entry.coded_size},
                  file.slice(entry.offset, entry.stored_size),
                  entry.offset};
  if (crc(section.stored.bytes()) != entry.checksum) return bad_input("its checksum is wrong");
  const bool known = kind_name(entry.kind).front() != '#';
  if (!known && section.required) return unsupported("its kind is unknown to this version, and it cannot be left out");
  const bool reserved = std::ranges::any_of(entry.reserved, [](auto word) { return word != 0; });
  if (known && (reserved || (entry.flags & ~1U) != 0)) return bad_input("reserved bits of its row are not zero");
  return section;
}

} // namespace

std::string kind_name(std::uint32_t kind) {
  switch (static_cast<SectionKind>(kind)) {
  case SectionKind::graph: return "graph";
  case SectionKind::tensors: return "tensors";
  case SectionKind::memory_plan: return "memory plan";
  case SectionKind::compact_graph: return "compact graph";
  }
  return fmt::format("#{}", kind);
}

bool has_magic(ByteView bytes) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

Result<Container> Container::open(const Storage &file) {
  const ByteView bytes = file.bytes();
  EDGEC_ASSIGN(const Header header, read_header(bytes));
  Container container;
  container.minor_ = header.minor;
  container.hints_ = header.hints;
  std::uint64_t end = sizeof(Header) + std::uint64_t{header.sections} * sizeof(Entry);
  for (std::uint32_t i = 0; i < header.sections; ++i) {
    const auto entry = load<Entry>(bytes, sizeof(Header) + i * sizeof(Entry));
    EDGEC_ASSIGN(Section section,
                 read_section(entry, end, file).in(fmt::format("section {} ({})", i, kind_name(entry.kind))));
    end = entry.offset + entry.stored_size;
    container.sections_.push_back(std::move(section));
  }
  if (end != bytes.size()) return bad_input(fmt::format("{} bytes behind the last section", bytes.size() - end));
  return container;
}

Result<Storage> Container::unpack(std::size_t index, int threads) const {
  const Section &section = sections_[index];
  const auto where = [&] { return fmt::format("section {} ({})", index, kind_name(section.kind)); };
  if (section.packing.is_plain() && section.packing.coded_size == section.stored.size() &&
      section.packing.raw_size == section.stored.size()) {
    const auto address = reinterpret_cast<std::uintptr_t>(section.stored.data());
    return address % alignof(std::max_align_t) == 0 ? section.stored : Storage::copy(section.stored.bytes());
  }
  EDGEC_ASSIGN(std::vector<std::byte> raw, edgec::unpack(section.stored.bytes(), section.packing, threads).in(where()));
  return Storage::take(std::move(raw));
}

std::vector<std::byte> build_container(std::span<const SectionSource> sections, std::uint32_t hints) {
  std::vector<Entry> table;
  std::uint64_t end = sizeof(Header) + sections.size() * sizeof(Entry);
  for (const SectionSource &source : sections) {
    const std::uint64_t offset = align_up(end);
    table.push_back({static_cast<std::uint32_t>(source.kind),
                     static_cast<std::uint16_t>(source.required ? 1 : 0),
                     source.packing.transform,
                     source.packing.compressor,
                     offset,
                     source.bytes.size(),
                     source.packing.coded_size,
                     source.packing.raw_size,
                     crc(source.bytes),
                     {}});
    end = offset + source.bytes.size();
  }
  Header header{magic,
                major_version,
                minor_version,
                0,
                end,
                sizeof(Header),
                static_cast<std::uint32_t>(table.size()),
                sizeof(Entry),
                hints,
                {},
                0};
  header.checksum = header_checksum(header, std::as_bytes(std::span(table)));
  std::vector<std::byte> file(end);
  std::memcpy(file.data(), &header, sizeof(header));
  if (!table.empty()) std::memcpy(file.data() + sizeof(Header), table.data(), table.size() * sizeof(Entry));
  for (std::size_t i = 0; i < sections.size(); ++i)
    std::ranges::copy(sections[i].bytes, file.begin() + static_cast<std::ptrdiff_t>(table[i].offset));
  return file;
}

} // namespace edgec::flat
