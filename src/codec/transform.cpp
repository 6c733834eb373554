#include "codec/transform.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>

#include "codec/codes.h"

namespace edgec {
namespace {

bool is_width(std::size_t width) { return width == 1 || width == 2 || width == 4 || width == 8; }
bool fits(ByteView raw, std::size_t width) { return is_width(width) && raw.size() % width == 0; }

std::uint64_t element(ByteView raw, std::size_t width, std::size_t i) {
  std::uint64_t value = 0;
  std::memcpy(&value, raw.data() + i * width, width); // little endian, as the machines that edgec runs on
  return value;
}

/// Different elements in ascending order, or nothing beyond 256.
std::optional<std::vector<std::uint64_t>> distinct(ByteView raw, std::size_t width) {
  std::vector<std::uint64_t> found;
  const std::size_t count = raw.size() / width;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t value = element(raw, width, i);
    const auto place = std::ranges::lower_bound(found, value);
    if (place != found.end() && *place == value) continue;
    if (found.size() == 256) return std::nullopt;
    found.insert(place, value);
  }
  return found;
}

/// The width a payload begins with, checked against the size it is to become.
Result<std::size_t> read_width(ByteView payload, std::size_t raw_size) {
  if (payload.empty()) return bad_input("the payload is empty");
  const auto width = std::to_integer<std::size_t>(payload[0]);
  if (!is_width(width)) return bad_input(fmt::format("elements of {} bytes, 1, 2, 4 or 8 were expected", width));
  if (raw_size % width != 0)
    return bad_input(fmt::format("{} bytes are not a whole number of elements of {} bytes", raw_size, width));
  return width;
}

Error wrong_size(std::size_t expected, std::size_t found) {
  return bad_input(fmt::format("the payload has {} bytes, {} were expected", found, expected));
}

} // namespace

std::string_view name(Transform transform) {
  switch (transform) {
  case Transform::none: return "none";
  case Transform::palette: return "palette";
  case Transform::sparse: return "sparse";
  case Transform::planes: return "planes";
  case Transform::codes: return "codes";
  case Transform::hashed: return "hashed";
  }
  return "unknown";
}

std::optional<std::size_t> palette_size(ByteView raw, std::size_t width) {
  if (!fits(raw, width)) return std::nullopt;
  const auto table = distinct(raw, width);
  return table ? std::optional(table->size()) : std::nullopt;
}

std::optional<std::vector<std::byte>> encode_palette(ByteView raw, std::size_t width, int bits) {
  if (!fits(raw, width) || raw.empty()) return std::nullopt;
  const auto table = distinct(raw, width);
  if (!table || table->size() > (std::size_t{1} << bits)) return std::nullopt;
  std::vector<std::uint8_t> codes(raw.size() / width);
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<std::uint8_t>(std::ranges::lower_bound(*table, element(raw, width, i)) - table->begin());
  const std::vector<std::byte> packed = pack_codes(codes, bits);
  std::vector<std::byte> payload(4 + table->size() * width + packed.size());
  const std::size_t last = table->size() - 1;
  payload[0] = static_cast<std::byte>(width);
  payload[1] = static_cast<std::byte>(bits);
  payload[2] = static_cast<std::byte>(last & 0xff);
  payload[3] = static_cast<std::byte>(last >> 8);
  auto *at = payload.data() + 4;
  for (const std::uint64_t value : *table) {
    std::memcpy(at, &value, width);
    at += width;
  }
  std::ranges::copy(packed, at);
  return payload;
}

Result<std::vector<std::byte>> decode_palette(ByteView payload, std::size_t raw_size) {
  EDGEC_ASSIGN(const std::size_t width, read_width(payload, raw_size));
  if (payload.size() < 4) return wrong_size(4, payload.size());
  const int bits = std::to_integer<int>(payload[1]);
  const std::size_t count =
      std::to_integer<std::size_t>(payload[2]) + (std::to_integer<std::size_t>(payload[3]) << 8) + 1;
  if (bits < 1 || bits > 8 || count > (std::size_t{1} << bits))
    return bad_input(fmt::format("a table of {} elements for codes of {} bits", count, bits));
  if (payload.size() - 4 < count * width) return wrong_size(4 + count * width, payload.size());
  const ByteView table = payload.subspan(4, count * width);
  EDGEC_ASSIGN(const std::vector<std::uint8_t> codes,
               unpack_codes(payload.subspan(4 + count * width), bits, raw_size / width));
  std::vector<std::byte> raw(raw_size);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] >= count) return bad_input(fmt::format("code {} in a table of {} elements", codes[i], count));
    std::memcpy(raw.data() + i * width, table.data() + codes[i] * width, width);
  }
  return raw;
}

std::optional<std::vector<std::byte>> encode_sparse(ByteView raw, std::size_t width) {
  if (!fits(raw, width)) return std::nullopt;
  const std::size_t count = raw.size() / width;
  std::vector<std::byte> payload(1 + (count + 7) / 8);
  payload[0] = static_cast<std::byte>(width);
  for (std::size_t i = 0; i < count; ++i) {
    if (element(raw, width, i) == 0) continue;
    payload[1 + i / 8] |= static_cast<std::byte>(1U << (i % 8));
    payload.insert(payload.end(), raw.begin() + static_cast<std::ptrdiff_t>(i * width),
                   raw.begin() + static_cast<std::ptrdiff_t>((i + 1) * width));
  }
  return payload;
}

Result<std::vector<std::byte>> decode_sparse(ByteView payload, std::size_t raw_size) {
  EDGEC_ASSIGN(const std::size_t width, read_width(payload, raw_size));
  const std::size_t count = raw_size / width;
  const std::size_t mask_size = (count + 7) / 8;
  if (payload.size() - 1 < mask_size) return wrong_size(1 + mask_size, payload.size());
  const ByteView mask = payload.subspan(1, mask_size);
  if (count % 8 != 0 && std::to_integer<unsigned>(mask.back()) >> (count % 8) != 0)
    return bad_input("the bits behind the last element's are not zero");
  std::size_t kept = 0;
  for (const std::byte bits : mask) kept += static_cast<std::size_t>(std::popcount(std::to_integer<unsigned>(bits)));
  if (payload.size() != 1 + mask_size + kept * width) return wrong_size(1 + mask_size + kept * width, payload.size());
  std::vector<std::byte> raw(raw_size);
  const std::byte *next = payload.data() + 1 + mask_size;
  for (std::size_t i = 0; i < count; ++i) {
    if ((std::to_integer<unsigned>(mask[i / 8]) >> (i % 8) & 1U) == 0) continue;
    std::memcpy(raw.data() + i * width, next, width);
    next += width;
  }
  return raw;
}

std::optional<std::vector<std::byte>> encode_planes(ByteView raw, std::size_t width) {
  if (!fits(raw, width)) return std::nullopt;
  const std::size_t count = raw.size() / width;
  std::vector<std::byte> payload(1 + raw.size());
  payload[0] = static_cast<std::byte>(width);
  for (std::size_t plane = 0; plane < width; ++plane)
    for (std::size_t i = 0; i < count; ++i) payload[1 + plane * count + i] = raw[i * width + plane];
  return payload;
}

Result<std::vector<std::byte>> decode_planes(ByteView payload, std::size_t raw_size) {
  EDGEC_ASSIGN(const std::size_t width, read_width(payload, raw_size));
  if (payload.size() - 1 != raw_size) return wrong_size(1 + raw_size, payload.size());
  const std::size_t count = raw_size / width;
  std::vector<std::byte> raw(raw_size);
  for (std::size_t plane = 0; plane < width; ++plane)
    for (std::size_t i = 0; i < count; ++i) raw[i * width + plane] = payload[1 + plane * count + i];
  return raw;
}

std::vector<std::byte> encode_codes(ByteView raw, int bits, bool is_signed) {
  std::vector<std::byte> payload{static_cast<std::byte>(bits + (is_signed ? 128 : 0))};
  payload.reserve(1 + raw.size() * static_cast<std::size_t>(8 / bits));
  const int high = is_signed ? 1 << (bits - 1) : 0, mask = (1 << bits) - 1;
  for (const std::byte packed : raw)
    for (int at = 0; at < 8; at += bits) {
      const int code = std::to_integer<int>(packed) >> at & mask;
      payload.push_back(static_cast<std::byte>((code ^ high) - high));
    }
  return payload;
}

Result<std::vector<std::byte>> decode_codes(ByteView payload, std::size_t raw_size) {
  if (payload.empty()) return wrong_size(1, 0);
  const int form = std::to_integer<int>(payload[0]);
  const int bits = form & 127;
  if (bits != 2 && bits != 4) return bad_input(fmt::format("codes of {} bits, 2 or 4 were expected", bits));
  const auto each = static_cast<std::size_t>(8 / bits);
  if ((payload.size() - 1) / each != raw_size || (payload.size() - 1) % each != 0)
    return wrong_size(1 + raw_size * each, payload.size());
  const int low = form >= 128 ? -(1 << (bits - 1)) : 0, mask = (1 << bits) - 1;
  std::vector<std::byte> raw(raw_size);
  for (std::size_t i = 0; i < raw_size * each; ++i) {
    const int byte = std::to_integer<int>(payload[1 + i]);
    const int code = low < 0 && byte >= 128 ? byte - 256 : byte;
    if (code < low || code > low + mask) return bad_input(fmt::format("code {} does not fit {} bits", code, bits));
    raw[i / each] |= static_cast<std::byte>((code & mask) << (static_cast<int>(i % each) * bits));
  }
  return raw;
}

} // namespace edgec
