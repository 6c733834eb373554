#include "codec/hashed.h"

#include <charconv>
#include <cstring>
#include <fmt/format.h>

namespace edgec {
namespace {

constexpr std::size_t header = 16;

bool is_width(std::size_t width) { return width == 1 || width == 2 || width == 4 || width == 8; }

} // namespace

std::string to_text(HashedPlaces places) { return fmt::format("{} {}", places.seed, places.count); }

std::optional<HashedPlaces> parse_hashed(std::string_view text) {
  HashedPlaces places;
  const char *end = text.data() + text.size();
  const auto [after, bad] = std::from_chars(text.data(), end, places.seed);
  if (bad != std::errc() || after == end || *after != ' ') return std::nullopt;
  const auto [last, wrong] = std::from_chars(after + 1, end, places.count);
  if (wrong != std::errc() || last != end) return std::nullopt;
  return places;
}

std::optional<std::vector<std::byte>> encode_hashed(ByteView raw, std::size_t width, HashedPlaces places) {
  if (!is_width(width) || raw.size() % width != 0 || places.count == 0 || places.count > raw.size() / width)
    return std::nullopt;
  std::vector<std::byte> payload(header + places.count * width);
  payload[0] = static_cast<std::byte>(width);
  std::memcpy(&payload[4], &places.count, 4); // little endian, as the machines that edgec runs on
  std::memcpy(&payload[8], &places.seed, 8);
  std::vector<char> known(places.count);
  for (std::size_t i = 0; i < raw.size() / width; ++i) {
    const std::uint32_t slot = hashed_slot(places, i);
    std::byte *stored = &payload[header + slot * width];
    if (known[slot] == 0) std::memcpy(stored, &raw[i * width], width);
    if (std::memcmp(stored, &raw[i * width], width) != 0) return std::nullopt;
    known[slot] = 1;
  }
  return payload;
}

Result<std::vector<std::byte>> decode_hashed(ByteView payload, std::size_t raw_size) {
  if (payload.size() < header)
    return bad_input(fmt::format("{} bytes are too few for hashed elements", payload.size()));
  const auto width = std::to_integer<std::size_t>(payload[0]);
  if (!is_width(width)) return bad_input(fmt::format("elements of {} bytes, 1, 2, 4 or 8 were expected", width));
  if (raw_size % width != 0)
    return bad_input(fmt::format("{} bytes are not a whole number of elements of {} bytes", raw_size, width));
  HashedPlaces places;
  std::memcpy(&places.count, &payload[4], 4);
  std::memcpy(&places.seed, &payload[8], 8);
  const std::size_t elements = raw_size / width;
  if (places.count == 0 || places.count > elements)
    return bad_input(fmt::format("{} stored for {} hashed elements", places.count, elements));
  if (payload.size() != header + places.count * width || payload[1] != std::byte{0} || payload[2] != std::byte{0} ||
      payload[3] != std::byte{0})
    return bad_input(
        fmt::format("the payload has {} bytes, {} were expected", payload.size(), header + places.count * width));
  std::vector<std::byte> raw(raw_size);
  for (std::size_t i = 0; i < elements; ++i)
    std::memcpy(&raw[i * width], &payload[header + hashed_slot(places, i) * width], width);
  return raw;
}

} // namespace edgec
