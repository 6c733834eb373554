#include "codec/code_stream.h"

#include <algorithm>
#include <fmt/format.h>

#include "codec/varint.h"

namespace edgec {
namespace {

std::vector<std::byte> header(const CodeArray &array) {
  std::vector<std::byte> bytes;
  put_varint(bytes, array.prefix);
  bytes.insert(bytes.end(), array.bytes.begin(), array.bytes.begin() + static_cast<std::ptrdiff_t>(array.prefix));
  bytes.push_back(static_cast<std::byte>(array.zero));
  put_varint(bytes, array.shapes.size());
  for (const CodeShape &shape : array.shapes) {
    put_varint(bytes, shape.rows);
    put_varint(bytes, shape.columns);
    put_varint(bytes, shape.taps);
  }
  return bytes;
}

std::vector<std::byte> joined(std::vector<std::byte> head, const std::vector<std::byte> &tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

Result<CodeShape> take_shape(ByteView &stream, std::size_t left) {
  const auto rows = take_varint(stream), columns = take_varint(stream), taps = take_varint(stream);
  if (!rows || !columns || !taps) return bad_input("the shape of coded weights is cut off");
  const bool sound = *rows > 0 && *columns > 0 && *taps > 0 && *columns <= max_row && *taps <= max_row &&
                     *columns * *taps <= max_row && *rows <= left / (*columns * *taps);
  if (!sound)
    return bad_input(
        fmt::format("coded weights of {} x {} x {} where {} codes are left", *rows, *columns, *taps, left));
  return CodeShape{*rows, *columns, *taps};
}

/// Takes the header off; the array's bytes are those of the prefix.
Result<CodeArray> take_header(ByteView &stream, std::size_t size) {
  CodeArray array;
  const auto prefix = take_varint(stream);
  if (!prefix || *prefix > size || stream.size() < *prefix + 1)
    return bad_input("the head of coded weights is cut off");
  array.bytes = stream.first(*prefix);
  array.prefix = *prefix;
  array.zero = std::to_integer<std::uint8_t>(stream[*prefix]);
  stream = stream.subspan(*prefix + 1);
  const auto count = take_varint(stream);
  std::size_t left = size - array.prefix;
  if (!count || *count > left) return bad_input("the head of coded weights is damaged");
  for (std::uint64_t i = 0; i < *count; ++i) {
    EDGEC_ASSIGN(array.shapes.emplace_back(), take_shape(stream, left));
    left -= array.shapes.back().count();
  }
  if (left != 0) return bad_input(fmt::format("coded weights of {} bytes, {} were expected", size - left, size));
  return array;
}

template <class Decode>
Result<std::vector<std::byte>> decode(ByteView stream, std::size_t size, const Decode &codes_of) {
  EDGEC_ASSIGN(const CodeArray array, take_header(stream, size));
  std::vector<std::byte> bytes(size);
  std::ranges::copy(array.bytes, bytes.begin());
  auto *first = reinterpret_cast<std::int8_t *>(bytes.data() + array.prefix);
  const std::span<std::int8_t> codes(first, size - array.prefix);
  EDGEC_CHECK(codes_of(stream, array, codes));
  if (array.zero != 0)
    for (std::int8_t &code : codes) code = static_cast<std::int8_t>(code + array.zero);
  return bytes;
}

} // namespace

std::vector<std::int8_t> centred(const CodeArray &array) {
  std::vector<std::int8_t> codes;
  codes.reserve(array.bytes.size() - array.prefix);
  for (const std::byte byte : array.bytes.subspan(array.prefix))
    codes.push_back(static_cast<std::int8_t>(std::to_integer<int>(byte) - array.zero));
  return codes;
}

std::vector<std::byte> encode_rans_stream(const CodeArray &array, std::span<const std::int8_t> codes,
                                          const RansPlan &plan) {
  return joined(header(array), encode_rans(codes, array.shapes.front(), plan));
}

std::vector<std::byte> encode_context_stream(const CodeArray &array, std::span<const std::int8_t> codes) {
  return joined(header(array), encode_contexts(codes, array.shapes));
}

Result<std::vector<std::byte>> decode_rans_stream(ByteView stream, std::size_t size) {
  return decode(stream, size, [](ByteView rest, const CodeArray &array, std::span<std::int8_t> codes) -> Status {
    if (array.shapes.size() != 1) return bad_input(fmt::format("a stream of one weight holds {}", array.shapes.size()));
    return decode_rans(rest, array.shapes.front(), codes);
  });
}

Result<std::vector<std::byte>> decode_context_stream(ByteView stream, std::size_t size) {
  return decode(stream, size, [](ByteView rest, const CodeArray &array, std::span<std::int8_t> codes) {
    return decode_contexts(rest, array.shapes, codes);
  });
}

} // namespace edgec
