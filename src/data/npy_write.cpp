#include <zip.h>

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "data/npy.h"
#include "support/file.h"

namespace edgec {
namespace {

/// The type of numpy that holds every value of `dtype`.
DType numpy_type(DType dtype) {
  if (is_float(dtype) && dtype != DType::float16 && dtype != DType::float64) return DType::float32;
  if (bits(dtype) < 8 && is_integer(dtype)) return is_signed_integer(dtype) ? DType::int8 : DType::uint8;
  return dtype;
}

std::string type_text(DType dtype) {
  const int width = bits(dtype) / 8;
  const bool complex = dtype == DType::complex64 || dtype == DType::complex128;
  const char kind = is_float(dtype)            ? 'f'
                    : complex                  ? 'c'
                    : dtype == DType::boolean  ? 'b'
                    : is_signed_integer(dtype) ? 'i'
                                               : 'u';
  return fmt::format("{}{}{}", width == 1 ? '|' : '<', kind, width);
}

std::string header_text(std::string_view descr, const Dims &dims) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr,
                                   fmt::join(dims, ", "), dims.size() == 1 ? "," : "");
  const std::size_t total = (10 + header.size() + 1 + 63) / 64 * 64; // elements begin at a multiple of 64
  header.append(total - 10 - header.size() - 1, ' ');
  header += '\n';
  std::string text("\x93NUMPY\x01\x00", 8);
  text += static_cast<char>(header.size() & 0xff);
  text += static_cast<char>(header.size() >> 8);
  return text + header;
}

/// UTF-8 to code points; a byte that is not UTF-8 becomes U+FFFD.
std::u32string code_points(std::string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i++]);
    const int tail = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : -1;
    char32_t c = tail <= 0 ? lead : lead & (0x3fU >> tail);
    bool whole = tail >= 0 && i + static_cast<std::size_t>(tail) <= text.size();
    for (int k = 0; whole && k < tail; ++k) {
      const auto next = static_cast<unsigned char>(text[i + static_cast<std::size_t>(k)]);
      whole = next >> 6 == 2;
      c = c << 6 | (next & 0x3fU);
    }
    if (whole) i += static_cast<std::size_t>(tail);
    out += whole ? c : U'\xfffd';
  }
  return out;
}

std::vector<std::byte> format_strings(const Tensor &tensor) {
  std::vector<std::u32string> texts;
  std::size_t longest = 1;
  for (const std::string &text : *tensor.strings) {
    texts.push_back(code_points(text));
    longest = std::max(longest, texts.back().size());
  }
  const std::string header = header_text(fmt::format("<U{}", longest), tensor.dims);
  std::vector<std::byte> out(header.size() + texts.size() * longest * 4);
  std::memcpy(out.data(), header.data(), header.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (!texts[i].empty()) std::memcpy(&out[header.size() + i * longest * 4], texts[i].data(), texts[i].size() * 4);
  return out;
}

struct DiscardArchive {
  void operator()(zip_t *zip) const { zip_discard(zip); }
};
struct FreeSource {
  void operator()(zip_source_t *source) const { zip_source_free(source); }
};

/// Everything that was written into a source in memory.
Result<std::vector<std::byte>> content(zip_source_t *source) {
  zip_stat_t stat;
  if (zip_source_stat(source, &stat) != 0 || zip_source_open(source) != 0)
    return internal_error("the .npz was not kept");
  std::vector<std::byte> bytes(stat.size);
  const auto got = zip_source_read(source, bytes.data(), bytes.size());
  zip_source_close(source);
  if (got < 0 || static_cast<std::size_t>(got) != bytes.size()) return internal_error("the .npz was not kept");
  return bytes;
}

} // namespace

std::vector<std::byte> format_npy(const Tensor &tensor) {
  if (tensor.dtype == DType::string) return format_strings(tensor);
  const DType dtype = numpy_type(tensor.dtype);
  const Tensor stored = dtype == tensor.dtype ? tensor
                        : is_float(dtype)     ? Tensor::of<float>(tensor.dims, to_floats(tensor))
                                              : from_int64s(dtype, tensor.dims, to_int64s(tensor));
  const std::string header = header_text(type_text(dtype), tensor.dims);
  std::vector<std::byte> out(header.size() + stored.data.size());
  std::memcpy(out.data(), header.data(), header.size());
  if (stored.data.size() > 0) std::memcpy(&out[header.size()], stored.data.data(), stored.data.size());
  return out;
}

Result<std::vector<std::byte>> format_npz(std::span<const std::pair<std::string, Tensor>> arrays) {
  std::vector<std::vector<std::byte>> members; // libzip reads them when the archive is closed
  for (const auto &array : arrays) members.push_back(format_npy(array.second));
  const std::unique_ptr<zip_source_t, FreeSource> source(zip_source_buffer_create(nullptr, 0, 0, nullptr));
  if (!source) return resource_error("a .npz could not be begun");
  zip_source_keep(source.get()); // zip_close gives up one reference, ours stays
  std::unique_ptr<zip_t, DiscardArchive> zip(zip_open_from_source(source.get(), ZIP_TRUNCATE, nullptr));
  if (!zip) {
    zip_source_free(source.get());
    return resource_error("a .npz could not be begun");
  }
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    zip_source_t *member = zip_source_buffer(zip.get(), members[i].data(), members[i].size(), 0);
    const auto index = zip_file_add(zip.get(), (arrays[i].first + ".npy").c_str(), member, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(member);
      return bad_input(fmt::format("array '{}' cannot stand in a .npz: {}", arrays[i].first, zip_strerror(zip.get())));
    }
    zip_set_file_compression(zip.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
    zip_file_set_dostime(zip.get(), static_cast<zip_uint64_t>(index), 0, (0 << 9) | (1 << 5) | 1, 0); // 1980-01-01
  }
  if (zip_close(zip.get()) != 0)
    return internal_error(fmt::format("the .npz was not written: {}", zip_strerror(zip.get())));
  [[maybe_unused]] zip_t *closed = zip.release();
  return content(source.get());
}

Status save_npy(const std::filesystem::path &path, const Tensor &tensor, bool force) {
  const auto bytes = format_npy(tensor);
  const ByteView part = bytes;
  return write_file(path, {&part, 1}, force);
}

Status save_npz(const std::filesystem::path &path, std::span<const std::pair<std::string, Tensor>> arrays, bool force) {
  EDGEC_ASSIGN(const auto bytes, format_npz(arrays));
  const ByteView part = bytes;
  return write_file(path, {&part, 1}, force);
}

} // namespace edgec
