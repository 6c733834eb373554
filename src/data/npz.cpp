#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <fmt/format.h>
#include <memory>
#include <optional>

#include "data/npy.h"
#include "support/file.h"

namespace edgec {
namespace {

struct CloseArchive {
  void operator()(zip_t *zip) const { zip_discard(zip); }
};
struct CloseMember {
  void operator()(zip_file_t *file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;
using Member = std::unique_ptr<zip_file_t, CloseMember>;

Result<Archive> open_archive(const Storage &file) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t *source = zip_source_buffer_create(file.data(), file.size(), 0, &error);
  zip_t *zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr;
  if (zip) return Archive(zip);
  Error result = bad_input(fmt::format("is not a .npz: {}", zip_error_strerror(&error)));
  if (source) zip_source_free(source);
  zip_error_fini(&error);
  return result;
}

/// Half of the machine's memory: an array of a compressed file has to fit in.
std::uint64_t memory_limit() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGE_SIZE);
  return pages > 0 && page > 0 ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page) / 2 : 1ULL << 32;
}

/// Reads up to `size` bytes; fewer at the member's end. Nothing: damaged (also where its checksum does not fit).
std::optional<std::size_t> read_some(zip_file_t *member, std::byte *to, std::size_t size) {
  std::size_t got = 0;
  while (got < size) {
    const auto count = zip_fread(member, to + got, size - got);
    if (count < 0) return std::nullopt;
    if (count == 0) break;
    got += static_cast<std::size_t>(count);
  }
  return got;
}

Error damaged_member(zip_file_t *member) {
  return bad_input(fmt::format("damaged .npz: {}", zip_error_strerror(zip_file_get_error(member))));
}

/// Refuses what cannot be right before anything is allocated for it.
Status check_member(const zip_stat_t &stat) {
  const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
  if ((stat.valid & needed) != needed) return bad_input("damaged .npz: its size is not stated");
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE)
    return bad_input(fmt::format(
        "is packed by zip method {}; stored and deflate (np.savez, np.savez_compressed) are read", stat.comp_method));
  // Deflate shrinks to no less than 1/1032 (zlib's technical notes).
  if (stat.size / 1032 > stat.comp_size + 1)
    return bad_input(
        fmt::format("damaged .npz: {} compressed bytes cannot hold the {} that are stated", stat.comp_size, stat.size));
  if (stat.size > memory_limit())
    return resource_error(
        fmt::format("needs {} bytes unpacked, more than half of the memory; save it as .npy, which is "
                    "read piece by piece",
                    stat.size));
  return {};
}

Result<Tensor> read_member(zip_file_t *member, std::uint64_t size, DType raw) {
  std::vector<std::byte> start(std::min<std::uint64_t>(size, 128)); // numpy's headers are that long
  const auto got = read_some(member, start.data(), start.size());
  if (!got) return damaged_member(member);
  start.resize(*got);
  if (start.size() >= 10) { // a longer header: the rest of it
    const auto length = std::to_integer<std::size_t>(start[8]) | std::to_integer<std::size_t>(start[9]) << 8;
    const std::size_t known = start.size();
    start.resize(std::min<std::uint64_t>(size, std::max(known, length + 12)));
    const auto more = read_some(member, start.data() + known, start.size() - known);
    if (!more) return damaged_member(member);
    start.resize(known + *more);
  }
  EDGEC_ASSIGN(const NpyHeader header, parse_npy_header(start));
  if (size - header.data_offset != header.data_size)
    return bad_input(fmt::format("damaged .npz: {} takes {} bytes, {} follow its header", describe(header),
                                 header.data_size, size - header.data_offset));
  std::vector<std::byte> elements(header.data_size);
  const std::size_t known = start.size() - header.data_offset;
  std::copy_n(start.begin() + static_cast<std::ptrdiff_t>(header.data_offset), known, elements.begin());
  const auto rest = read_some(member, elements.data() + known, elements.size() - known);
  std::byte beyond{};
  const auto after = rest ? read_some(member, &beyond, 1) : std::nullopt; // reaching the end checks the checksum
  if (!after) return damaged_member(member);
  if (known + *rest != elements.size() || *after != 0)
    return bad_input(fmt::format("damaged .npz: {} bytes are stated, others were found", size));
  return npy_tensor(header, Storage::take(std::move(elements)), raw);
}

} // namespace

Result<NpzFile> NpzFile::open(const std::filesystem::path &path) {
  EDGEC_ASSIGN(Storage file, map_file(path));
  auto parsed = parse(std::move(file)).in(path.string());
  if (parsed) parsed->path_ = path.string() + ": ";
  return parsed;
}

Result<NpzFile> NpzFile::parse(Storage file) {
  if (file.size() == 0) return bad_input("the file is empty, a .npz was expected");
  NpzFile npz;
  EDGEC_ASSIGN(const Archive archive, open_archive(file));
  const auto count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char *entry = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_GUESS);
    std::string name = entry ? entry : "";
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    npz.names_.push_back(std::move(name));
  }
  npz.file_ = std::move(file);
  return npz;
}

bool NpzFile::has(std::string_view name) const { return std::ranges::find(names_, name) != names_.end(); }

Result<Tensor> NpzFile::read(std::string_view name, DType raw) const {
  const std::string place = fmt::format("{}array '{}'", path_, name);
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end())
    return bad_input(fmt::format("{}: there is no such array; there are: {}", place, fmt::join(names_, ", ")));
  EDGEC_ASSIGN(const Archive archive, open_archive(file_).in(place));
  const auto index = static_cast<zip_uint64_t>(found - names_.begin());
  zip_stat_t stat;
  if (zip_stat_index(archive.get(), index, 0, &stat) != 0) return bad_input("damaged .npz: no such member").in(place);
  EDGEC_CHECK(check_member(stat).in(place));
  const Member member(zip_fopen_index(archive.get(), index, 0));
  if (!member) return bad_input(fmt::format("{}: damaged .npz: {}", place, zip_strerror(archive.get())));
  return read_member(member.get(), stat.size, raw).in(place);
}

} // namespace edgec
