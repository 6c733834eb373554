#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "data/npy.h"
#include "support/file.h"

namespace edgec {
namespace {

/// Copies elements from column-major to row-major order.
std::vector<std::byte> row_major(ByteView from, const Dims &dims, std::size_t width) {
  std::vector<std::byte> out(from.size());
  std::vector<std::size_t> stride(dims.size()), index(dims.size());
  std::size_t step = width;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    stride[axis] = step;
    step *= static_cast<std::size_t>(dims[axis]);
  }
  std::size_t source = 0;
  for (std::size_t at = 0; at < out.size(); at += width) {
    std::memcpy(&out[at], &from[source], width);
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      source += stride[axis];
      if (++index[axis] < static_cast<std::size_t>(dims[axis])) break;
      source -= stride[axis] * index[axis];
      index[axis] = 0;
    }
  }
  return out;
}

std::vector<std::byte> byte_swapped(ByteView from, std::size_t width) {
  std::vector<std::byte> out(from.begin(), from.end());
  for (std::size_t at = 0; at + width <= out.size(); at += width)
    std::reverse(out.begin() + at, out.begin() + at + width);
  return out;
}

void append_utf8(std::string &text, std::uint32_t c) {
  if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) c = 0xfffd;
  if (c < 0x80) {
    text += static_cast<char>(c);
    return;
  }
  const int tail = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  text += static_cast<char>((0xff00 >> (tail + 1) & 0xff) | c >> (6 * tail));
  for (int i = tail - 1; i >= 0; --i) text += static_cast<char>(0x80 | (c >> (6 * i) & 0x3f));
}

/// An element of numpy's U type: UTF-32, filled up with zeros.
std::string from_utf32(ByteView item) {
  std::string text;
  for (std::size_t at = 0; at + 4 <= item.size(); at += 4) {
    std::uint32_t c = 0;
    std::memcpy(&c, &item[at], 4);
    if (c == 0) break; // numpy drops trailing zeros; none stands inside a text
    append_utf8(text, c);
  }
  return text;
}

Tensor string_tensor(const NpyHeader &header, ByteView bytes) {
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < bytes.size(); at += header.item_size) {
    const ByteView item = bytes.subspan(at, header.item_size);
    if (header.utf32)
      texts.push_back(from_utf32(item));
    else
      texts.emplace_back(reinterpret_cast<const char *>(item.data()),
                         ::strnlen(reinterpret_cast<const char *>(item.data()), item.size()));
  }
  return Tensor::of_strings(header.dims, std::move(texts));
}

/// Packs 4- or 2-bit elements that lie in a byte each.
std::vector<std::byte> packed(ByteView bytes, DType dtype) {
  std::vector<std::byte> out(byte_size(dtype, static_cast<std::int64_t>(bytes.size())));
  const int width = bits(dtype);
  const std::size_t per_byte = 8 / static_cast<std::size_t>(width);
  const auto mask = static_cast<std::byte>((1 << width) - 1);
  for (std::size_t i = 0; i < bytes.size(); ++i)
    out[i / per_byte] |= (bytes[i] & mask) << (static_cast<int>(i % per_byte) * width);
  return out;
}

} // namespace

std::string describe(const NpyHeader &header) {
  return fmt::format("{}[{}]", header.dtype == DType::undefined ? "raw" : name(header.dtype),
                     fmt::join(header.dims, ","));
}

Result<Tensor> npy_tensor(const NpyHeader &header, Storage data, DType raw) {
  const bool text = header.dtype == DType::string;
  const bool complex = header.dtype == DType::complex64 || header.dtype == DType::complex128;
  const std::size_t swapped = text ? (header.utf32 ? 4 : 1) : complex ? header.item_size / 2 : header.item_size;
  if (header.big_endian && swapped > 1) data = Storage::take(byte_swapped(data.bytes(), swapped));
  if (header.fortran_order && header.dims.size() > 1)
    data = Storage::take(row_major(data.bytes(), header.dims, header.item_size));
  if (text) return string_tensor(header, data.bytes());
  DType dtype = header.dtype;
  if (dtype == DType::undefined) {
    if (bits(raw) == 0 || header.item_size != static_cast<std::size_t>(bits(raw) + 7) / 8)
      return bad_input(fmt::format("numpy's raw type V{} does not say what its elements are{}", header.item_size,
                                   bits(raw) == 0 ? "" : fmt::format("; {} was expected", name(raw))));
    dtype = raw;
    if (bits(dtype) < 8) data = Storage::take(packed(data.bytes(), dtype));
  }
  if (dtype == DType::boolean && std::ranges::any_of(data.bytes(), [](std::byte b) { return b > std::byte{1}; }))
    return bad_input("damaged .npy: a truth value is neither 0 nor 1");
  if (reinterpret_cast<std::uintptr_t>(data.data()) % 16 != 0) data = Storage::copy(data.bytes());
  return Tensor{dtype, header.dims, std::move(data), nullptr};
}

Result<Tensor> parse_npy(const Storage &file, DType raw) {
  EDGEC_ASSIGN(const NpyHeader header, parse_npy_header(file.bytes()));
  const std::size_t found = file.size() - header.data_offset;
  if (found != header.data_size)
    return bad_input(fmt::format("{} .npy: {} takes {} bytes, {} follow the header",
                                 found < header.data_size ? "truncated" : "damaged", describe(header), header.data_size,
                                 found));
  return npy_tensor(header, file.slice(header.data_offset, header.data_size), raw);
}

Result<Tensor> load_npy(const std::filesystem::path &path, DType raw) {
  EDGEC_ASSIGN(const Storage file, map_file(path));
  return parse_npy(file, raw).in(path.string());
}

} // namespace edgec
